-- Only what can be read off the catalogue: a plain column that is NOT NULL, of a row that is always there.
CREATE OR REPLACE FUNCTION vigie.rule_never_null(r vigie.rule, item text)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT EXISTS (SELECT FROM regexp_match(item, '^(rec|new|old)\s*\.\s*("[^"]+"|[[:alpha:]_][[:alnum:]_]*)(\s+as\s.*)?$', 'i') AS part
                     JOIN pg_attribute a ON a.attname = (parse_ident(part[2]))[1]
                    WHERE a.attrelid = to_regclass(r.source) AND a.attnotnull AND NOT a.attisdropped
                      AND CASE lower(part[1]) WHEN 'new' THEN 'delete' <> ALL (r.ops)
                                              WHEN 'old' THEN 'insert' <> ALL (r.ops) ELSE true END)
$fn$;

COMMENT ON FUNCTION vigie.rule_never_null(vigie.rule, text) IS 'Whether an element of a payload is a column that cannot be null';
REVOKE ALL ON FUNCTION vigie.rule_never_null(vigie.rule, text) FROM PUBLIC;
