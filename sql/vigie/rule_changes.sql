CREATE OR REPLACE FUNCTION vigie.rule_changes(source regclass, ops text[], changes text)
RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    names text[];
    missing text;
BEGIN
    IF coalesce(btrim(changes), '') = '' THEN
        RETURN NULL;
    ELSIF ops <> ARRAY['update'] THEN
        PERFORM vigie.rule_refuse('22023', 'changes is for rules on update only',
            'Use ops => ''update'', or publish another event for the other operations.');
    END IF;
    names := ARRAY(SELECT btrim(btrim(name), '"') FROM regexp_split_to_table(changes, ',') AS name);
    SELECT name INTO missing FROM unnest(names) AS name
     WHERE NOT EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = source AND a.attname = name AND a.attnum > 0 AND NOT a.attisdropped);
    IF FOUND THEN
        PERFORM vigie.rule_refuse('42703', format('changes names %L, which is no column of %s', missing, vigie.rule_relation_name(source)),
            'Write column names as the table has them, separated by commas.');
    END IF;
    RETURN names;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_changes(regclass, text[], text) IS 'The columns of changes =>, each proved to exist';
REVOKE ALL ON FUNCTION vigie.rule_changes(regclass, text[], text) FROM PUBLIC;
