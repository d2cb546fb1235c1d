CREATE OR REPLACE FUNCTION vigie.rule_privilege_trouble(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('privilege missing: SELECT (%s) on %s', a.attname, l->>'source')
      FROM jsonb_array_elements(r.lookups) AS l
     CROSS JOIN LATERAL jsonb_array_elements_text(l->'columns') AS c
      JOIN pg_attribute a ON a.attrelid = to_regclass(l->>'source') AND a.attname = c AND NOT a.attisdropped
     WHERE NOT (has_column_privilege('vigie_owner', a.attrelid, a.attnum, 'SELECT')
                AND has_schema_privilege('vigie_owner', (SELECT relnamespace FROM pg_class WHERE oid = a.attrelid), 'USAGE'))
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_privilege_trouble(vigie.rule) IS 'First column that a rule looks up and vigie_owner may not read';
REVOKE ALL ON FUNCTION vigie.rule_privilege_trouble(vigie.rule) FROM PUBLIC;
