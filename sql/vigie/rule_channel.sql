CREATE OR REPLACE FUNCTION vigie.rule_channel(source regclass)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT left('vigie_' || regexp_replace(lower(c.relname), '[^a-z0-9_]', '_', 'g'), 63) FROM pg_class c WHERE c.oid = source
$fn$;

COMMENT ON FUNCTION vigie.rule_channel(regclass) IS 'NOTIFY channel of a table: vigie_ and its name in lower case, plain characters, at most 63 bytes';
REVOKE ALL ON FUNCTION vigie.rule_channel(regclass) FROM PUBLIC;
