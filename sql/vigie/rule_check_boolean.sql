CREATE OR REPLACE FUNCTION vigie.rule_check_boolean(event text, view regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    bad text;
BEGIN
    SELECT format('%s is %s', a.attname, format_type(a.atttypid, NULL)) INTO bad
      FROM pg_attribute a WHERE a.attrelid = view AND a.attnum > 0 AND a.atttypid <> 'boolean'::regtype LIMIT 1;
    IF FOUND THEN
        PERFORM vigie.rule_refuse('42804', format('rule %s: %s, not boolean', event, bad), 'Write a comparison: new.status = ''signed''.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_boolean(text, regclass) IS 'Refuses a condition or a join that is not boolean';
REVOKE ALL ON FUNCTION vigie.rule_check_boolean(text, regclass) FROM PUBLIC;
