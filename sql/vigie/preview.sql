CREATE OR REPLACE FUNCTION vigie.preview(event text, max_rows int DEFAULT 5)
RETURNS TABLE(matches boolean, company text, rooms text[], payload json, bytes int)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT * FROM vigie.rule_preview(vigie.rule_find(event), max_rows)
$fn$;

COMMENT ON FUNCTION vigie.preview(text, int) IS 'What the last rows of its table would have sent under the rule of an event; changes => is left out';
REVOKE ALL ON FUNCTION vigie.preview(text, int) FROM PUBLIC;
