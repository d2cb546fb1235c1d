CREATE OR REPLACE FUNCTION vigie.rule_lock()
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT pg_advisory_xact_lock(1449748329, 100)
$fn$;

COMMENT ON FUNCTION vigie.rule_lock() IS 'One change of the rules at a time in a database';
REVOKE ALL ON FUNCTION vigie.rule_lock() FROM PUBLIC;
