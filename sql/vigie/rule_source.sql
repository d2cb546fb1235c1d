CREATE OR REPLACE FUNCTION vigie.rule_source(source regclass)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    c pg_class;
BEGIN
    SELECT * INTO c FROM pg_class WHERE oid = source;
    IF NOT FOUND OR c.relkind NOT IN ('r', 'p') THEN
        PERFORM vigie.rule_refuse('42809', format('%s is not a table', coalesce(source::text, 'NULL')),
            'Events come from tables: publish the tables under the view.');
    ELSIF c.relpersistence = 't' OR c.relnamespace IN ('vigie'::regnamespace, 'vigie_gen'::regnamespace, 'pg_catalog'::regnamespace) THEN
        PERFORM vigie.rule_refuse('42809', format('%s is a temporary or system table', vigie.rule_relation_name(source)),
            'Publish a permanent business table.');
    END IF;
    RETURN vigie.rule_relation_name(source);
END
$fn$;

COMMENT ON FUNCTION vigie.rule_source(regclass) IS 'Name of the table of a rule; refuses what is not a permanent business table';
REVOKE ALL ON FUNCTION vigie.rule_source(regclass) FROM PUBLIC;
