CREATE OR REPLACE FUNCTION vigie.rule_reads_lookup(r vigie.rule, tree text)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT EXISTS (SELECT FROM jsonb_array_elements(r.lookups) AS l
                    WHERE vigie.rule_alias_columns(tree, l->>'alias', (l->>'source')::regclass) <> '{}')
$fn$;

COMMENT ON FUNCTION vigie.rule_reads_lookup(vigie.rule, text) IS 'Whether a part of a rule reads a looked-up table';
REVOKE ALL ON FUNCTION vigie.rule_reads_lookup(vigie.rule, text) FROM PUBLIC;
