CREATE OR REPLACE FUNCTION vigie.rule_fields(view regclass)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
      FROM pg_attribute a
     WHERE a.attrelid = view AND a.attnum > 0
$fn$;

COMMENT ON FUNCTION vigie.rule_fields(regclass) IS 'Names and types of a payload, in order';
REVOKE ALL ON FUNCTION vigie.rule_fields(regclass) FROM PUBLIC;
