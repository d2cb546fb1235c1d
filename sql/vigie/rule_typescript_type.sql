CREATE OR REPLACE FUNCTION vigie.rule_typescript_type(type text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE
        WHEN type LIKE '%[]' THEN format('Array<%s | null>', vigie.rule_typescript_type(left(type, -2)))
        WHEN type = 'bigint' THEN 'number | string'
        WHEN type ~ '^(smallint|integer|numeric|real|double precision)' THEN 'number'
        WHEN type = 'boolean' THEN 'boolean'
        WHEN type IN ('json', 'jsonb') THEN 'unknown'
        ELSE 'string' END
$fn$;

COMMENT ON FUNCTION vigie.rule_typescript_type(text) IS 'TypeScript type of the JSON that a PostgreSQL type becomes';
REVOKE ALL ON FUNCTION vigie.rule_typescript_type(text) FROM PUBLIC;
