CREATE OR REPLACE FUNCTION vigie.rule_lookup_sources(r vigie.rule)
RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT DISTINCT to_regclass(l->>'source') FROM jsonb_array_elements(r.lookups) AS l WHERE to_regclass(l->>'source') IS NOT NULL
$fn$;

COMMENT ON FUNCTION vigie.rule_lookup_sources(vigie.rule) IS 'The looked-up tables of a rule that exist';
REVOKE ALL ON FUNCTION vigie.rule_lookup_sources(vigie.rule) FROM PUBLIC;
