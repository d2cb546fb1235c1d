CREATE OR REPLACE FUNCTION vigie.rule_probe_lookups(r vigie.rule)
RETURNS regclass
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT vigie.rule_probe(r.event, 'lookups', format(E'SELECT %s\n  FROM %s',
               coalesce((SELECT string_agg(format(E'((%s\n)%s) AS %I', l->>'match', ' AND ' || (l->>'binding'), l->>'alias'), ', ')
                           FROM jsonb_array_elements(r.lookups) AS l), 'true AS none'),
               vigie.rule_probe_from(r)))
$fn$;

COMMENT ON FUNCTION vigie.rule_probe_lookups(vigie.rule) IS 'Probe view of the joins of a rule';
REVOKE ALL ON FUNCTION vigie.rule_probe_lookups(vigie.rule) FROM PUBLIC;
