-- One expression, or NULL when none was given.
CREATE OR REPLACE FUNCTION vigie.rule_expression(what text, fragment text)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    items text[];
BEGIN
    IF coalesce(btrim(fragment, E' \t\r\n'), '') = '' THEN
        RETURN NULL;
    END IF;
    items := vigie.rule_items(what, fragment);
    IF cardinality(items) <> 1 THEN
        PERFORM vigie.rule_refuse('42601', format('%s is not one expression', what), 'Join conditions with AND or OR.', fragment);
    END IF;
    RETURN items[1];
END
$fn$;

COMMENT ON FUNCTION vigie.rule_expression(text, text) IS 'A single SQL expression as the DBA wrote it, trimmed; NULL when empty';
REVOKE ALL ON FUNCTION vigie.rule_expression(text, text) FROM PUBLIC;
