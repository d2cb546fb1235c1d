-- vigie_owner holds SELECT on exactly the columns that the rules look up in a table, and nothing else there: the
-- database itself then refuses a generated function that would read more.
CREATE OR REPLACE FUNCTION vigie.rule_sync_grants(relation regclass)
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = error
AS $fn$
DECLARE
    name CONSTANT text := vigie.rule_relation_name(relation);
    step text;
    missing text;
BEGIN
    FOR step IN
        SELECT CASE WHEN w.wanted THEN format('GRANT SELECT (%s) ON %s TO vigie_owner', w.columns, name)
                    ELSE format('REVOKE SELECT (%s) ON %s FROM vigie_owner', w.columns, name) END
          FROM (SELECT s.wanted, string_agg(format('%I', s.attname), ', ' ORDER BY s.attnum) AS columns
                  FROM (SELECT a.attname, a.attnum,
                               vigie.rule_is_looked_up(name, a.attname::text) AS wanted,
                               EXISTS (SELECT FROM aclexplode(a.attacl) g
                                        WHERE g.grantee = 'vigie_owner'::regrole AND g.privilege_type = 'SELECT') AS held
                          FROM pg_attribute a
                         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped) AS s
                 WHERE s.wanted <> s.held
                 GROUP BY s.wanted) AS w
    LOOP
        BEGIN
            EXECUTE step;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE DEBUG '%: %', step, SQLERRM; -- the test below refuses in our words; without rights PostgreSQL may only warn
        END;
        RETURN NEXT step;
    END LOOP;

    SELECT a.attname INTO missing FROM pg_attribute a
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND vigie.rule_is_looked_up(name, a.attname::text)
       AND NOT has_column_privilege('vigie_owner', relation, a.attnum, 'SELECT')
     ORDER BY a.attnum LIMIT 1;
    IF FOUND THEN
        PERFORM vigie.rule_refuse('42501', format('SELECT (%I) on %s could not be granted to vigie_owner', missing, name),
            'Publish as the owner of the looked-up table, or as a role that holds SELECT WITH GRANT OPTION.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_sync_grants(regclass) IS
    'Grants and revokes until vigie_owner may read exactly the looked-up columns of a table; returns what it ran';
REVOKE ALL ON FUNCTION vigie.rule_sync_grants(regclass) FROM PUBLIC;
