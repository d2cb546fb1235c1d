-- Every refusal of the rules API goes through here, so that none can forget its SQLSTATE or its hint.
CREATE OR REPLACE FUNCTION vigie.rule_refuse(state text, message text, hint text, detail text DEFAULT '')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    IF detail = '' THEN -- an empty one would be shown
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, HINT = hint;
    END IF;
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, HINT = hint, DETAIL = detail;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_refuse(text, text, text, text) IS
    'Raises a refusal: SQLSTATE, what is wrong, what to do, the list of what is concerned';
REVOKE ALL ON FUNCTION vigie.rule_refuse(text, text, text, text) FROM PUBLIC;
