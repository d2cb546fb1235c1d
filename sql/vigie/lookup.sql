CREATE OR REPLACE FUNCTION vigie.lookup(alias text, source regclass, match text DEFAULT NULL, company text DEFAULT NULL)
RETURNS vigie.lookup
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT ROW(alias, vigie.rule_source(source), match, company)::vigie.lookup
$fn$;

COMMENT ON FUNCTION vigie.lookup(text, regclass, text, text) IS
    'A table joined to a rule, 0 or 1 row: by its only foreign key, or by match; company names its company column when it is not found';
REVOKE ALL ON FUNCTION vigie.lookup(text, regclass, text, text) FROM PUBLIC;
