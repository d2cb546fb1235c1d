-- PostgreSQL rewrites a WHEN clause, so the trigger carries a digest of what was declared, as an argument that its
-- function ignores. (A comment would do too, but only the owner of the table may write one.)
CREATE OR REPLACE FUNCTION vigie.rule_trigger_argument(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN r.guard = 'when' THEN md5(vigie.rule_condition(r)) END
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_argument(vigie.rule) IS 'Digest of the WHEN clause of a rule; NULL when it has none';
REVOKE ALL ON FUNCTION vigie.rule_trigger_argument(vigie.rule) FROM PUBLIC;
