CREATE OR REPLACE FUNCTION vigie.rule_column_trouble(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN a.path IS NULL THEN 'column missing: ' || t.path
                ELSE format('column type changed: %s is %s', t.path, a.type) END
      FROM jsonb_each_text(r.types) AS t(path, type)
      LEFT JOIN (SELECT format('%s.%s.%s', n.nspname, c.relname, k.attname) AS path, format_type(k.atttypid, k.atttypmod) AS type
                   FROM (SELECT to_regclass(r.source) AS oid UNION SELECT * FROM vigie.rule_lookup_sources(r)) AS used
                   JOIN pg_class c ON c.oid = used.oid
                   JOIN pg_namespace n ON n.oid = c.relnamespace
                   JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum > 0 AND NOT k.attisdropped) AS a USING (path)
     WHERE a.type IS DISTINCT FROM t.type
     ORDER BY a.path IS NOT NULL, t.path
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_column_trouble(vigie.rule) IS 'First column of a rule that is gone or has another type; NULL when all stand';
REVOKE ALL ON FUNCTION vigie.rule_column_trouble(vigie.rule) FROM PUBLIC;
