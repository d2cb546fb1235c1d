-- A comma list, not joins: a join would list every column of its sides in the stored tree.
CREATE OR REPLACE FUNCTION vigie.rule_probe_from(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT concat_ws(', ', r.source || ' AS rec', r.source || ' AS new', r.source || ' AS old',
               (SELECT string_agg(format('%s AS %I', l->>'source', l->>'alias'), ', ') FROM jsonb_array_elements(r.lookups) AS l))
$fn$;

COMMENT ON FUNCTION vigie.rule_probe_from(vigie.rule) IS 'FROM list under which the parts of a rule are parsed';
REVOKE ALL ON FUNCTION vigie.rule_probe_from(vigie.rule) FROM PUBLIC;
