CREATE OR REPLACE FUNCTION vigie.rule_ops(ops text)
RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    parsed text[] := ARRAY(SELECT DISTINCT lower(btrim(op))
                             FROM regexp_split_to_table(ops, '\s*(?:,|\mor\M)\s*', 'i') AS op ORDER BY 1);
BEGIN
    IF parsed = '{}' OR NOT parsed <@ ARRAY['insert', 'update', 'delete'] THEN
        PERFORM vigie.rule_refuse('22023', format('ops %L is not a list of insert, update, delete', ops),
            'Write ops => ''insert'' or ops => ''insert, update''. TRUNCATE is not published.');
    END IF;
    RETURN parsed;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_ops(text) IS 'The operations of a rule, sorted: insert, update, delete';
REVOKE ALL ON FUNCTION vigie.rule_ops(text) FROM PUBLIC;
