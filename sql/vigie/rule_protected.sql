CREATE OR REPLACE FUNCTION vigie.rule_protected(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT 'protected column: ' || path
      FROM unnest(r.publishes) AS path
      JOIN vigie.sensitive s ON vigie.rule_normalise(path) ~ s.pattern
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_protected(vigie.rule) IS 'First published column that a pattern protects';
REVOKE ALL ON FUNCTION vigie.rule_protected(vigie.rule) FROM PUBLIC;
