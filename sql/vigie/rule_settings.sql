-- row_security off: a query that a policy would filter fails, before any function of that policy runs. A policy is the
-- table owner's code, and here it would run as vigie_owner, who may read all of ours.
CREATE OR REPLACE FUNCTION vigie.rule_settings()
RETURNS text[]
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT ARRAY['search_path=pg_catalog, pg_temp', 'row_security=off']
$fn$;

COMMENT ON FUNCTION vigie.rule_settings() IS 'What every generated function sets for itself, as pg_proc has it';
REVOKE ALL ON FUNCTION vigie.rule_settings() FROM PUBLIC;
