CREATE OR REPLACE FUNCTION vigie.rule_choice(argument text, value text, choices text[])
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    IF value IS NULL OR value <> ALL (choices) THEN
        PERFORM vigie.rule_refuse('22023', format('%s %L is unknown', argument, value),
            format('%s is one of: %s.', argument, array_to_string(choices, ', ')));
    END IF;
    RETURN value;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_choice(text, text, text[]) IS 'A value of a closed list, or a refusal that shows the list';
REVOKE ALL ON FUNCTION vigie.rule_choice(text, text, text[]) FROM PUBLIC;
