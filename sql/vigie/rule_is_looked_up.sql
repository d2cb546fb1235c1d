CREATE OR REPLACE FUNCTION vigie.rule_is_looked_up(relation text, column_name text)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT EXISTS (SELECT FROM vigie.rule r CROSS JOIN LATERAL jsonb_array_elements(r.lookups) AS l
                    WHERE l->>'source' = relation AND l->'columns' ? column_name)
$fn$;

COMMENT ON FUNCTION vigie.rule_is_looked_up(text, text) IS 'Whether some rule looks a column up';
REVOKE ALL ON FUNCTION vigie.rule_is_looked_up(text, text) FROM PUBLIC;
