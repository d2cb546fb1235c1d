-- Splits what the DBA wrote at its top-level commas, and refuses what could leave the clause that it will be put in.
-- PostgreSQL parses the fragment later; here it must only be impossible that it parses as something else:
-- no comment, no ;, no $, no backslash (its meaning depends on a setting of the business session), brackets
-- balanced, and no FROM of its own.
CREATE OR REPLACE FUNCTION vigie.rule_items(what text, fragment text)
RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    items text[] := ARRAY[]::text[];
    item text := '';
    top text := '';
    inside text := '';
    depth int := 0;
    c text;
BEGIN
    FOREACH c IN ARRAY regexp_split_to_array(fragment, '') LOOP
        IF c IN (E'\\', '$') OR (inside = '' AND c = ';') OR c ~ '[\x01-\x08\x0b\x0c\x0e-\x1f]' THEN
            PERFORM vigie.rule_refuse('42601', format('%s holds the character %L', what, c),
                'Backslash, $, ; and control characters are refused: write [0-9] for \d, or register a function of yours with vigie.allow_function().');
        ELSIF inside <> '' THEN
            inside := CASE WHEN c = inside THEN '' ELSE inside END;
        ELSIF c IN ('''', '"') THEN
            inside := c;
            top := top || CASE WHEN depth = 0 THEN ' x' ELSE '' END;
        ELSIF c IN ('(', '[') THEN
            depth := depth + 1;
        ELSIF c IN (')', ']') THEN
            depth := depth - 1;
            EXIT WHEN depth < 0;
        ELSIF depth = 0 AND c = ',' THEN
            items := items || btrim(item, E' \t\r\n');
            item := '';
            top := top || ' ';
            CONTINUE;
        ELSIF depth = 0 THEN
            top := top || c;
        END IF;
        item := item || c;
    END LOOP;
    items := items || btrim(item, E' \t\r\n');

    IF depth <> 0 OR inside <> '' THEN
        PERFORM vigie.rule_refuse('42601', format('%s has brackets or quotes that do not match', what),
            'Count ( ) [ ] '' and ".', fragment);
    ELSIF regexp_replace(fragment, '''[^'']*''|"[^"]*"', 'x', 'g') ~ '--|/\*' THEN
        PERFORM vigie.rule_refuse('42601', format('%s holds a comment', what), 'Put it into comment => instead.', fragment);
    ELSIF regexp_replace(top, '\mdistinct\s+from\M', ' ', 'gi') ~* '(?<![.\w])(from|union|intersect|except|into)\M' THEN
        PERFORM vigie.rule_refuse('42601', format('%s holds a clause of its own', what),
            'Only expressions over new, old, rec and the lookups: no FROM, UNION, INTERSECT, EXCEPT or INTO.', fragment);
    ELSIF '' = ANY(items) THEN
        PERFORM vigie.rule_refuse('42601', format('%s has an empty element', what), 'Look for a comma too many.', fragment);
    END IF;
    RETURN items;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_items(text, text) IS
    'Elements of a comma-separated SQL fragment; refuses a fragment that could leave the clause it is put in';
REVOKE ALL ON FUNCTION vigie.rule_items(text, text) FROM PUBLIC;
