-- Replaces the first version of rules_bad.sql, from before there were rules.
CREATE OR REPLACE FUNCTION vigie.rules_bad()
RETURNS int
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT count(*)::int FROM vigie.rules WHERE state NOT IN ('ok', 'paused')
$fn$;

COMMENT ON FUNCTION vigie.rules_bad() IS 'Number of rules that do not work as declared';
REVOKE ALL ON FUNCTION vigie.rules_bad() FROM PUBLIC;
