-- Names of a schema can only be resolved with USAGE on it: for the looked-up tables, and for the row type of the source.
CREATE OR REPLACE FUNCTION vigie.rule_grant_usage(relation regclass)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = error
AS $fn$
DECLARE
    place name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation);
BEGIN
    IF has_schema_privilege('vigie_owner', place, 'USAGE') THEN
        RETURN NULL;
    END IF;
    BEGIN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vigie_owner', place);
    EXCEPTION WHEN insufficient_privilege THEN
        NULL; -- the test below refuses in our words
    END;
    IF NOT has_schema_privilege('vigie_owner', place, 'USAGE') THEN
        PERFORM vigie.rule_refuse('42501', format('USAGE on schema %I could not be granted to vigie_owner', place),
            format('Ask the owner of the schema: GRANT USAGE ON SCHEMA %I TO vigie_owner.', place));
    END IF;
    RETURN format('GRANT USAGE ON SCHEMA %I TO vigie_owner', place);
END
$fn$;

COMMENT ON FUNCTION vigie.rule_grant_usage(regclass) IS 'Gives vigie_owner USAGE on the schema of a table when it has none; returns what it ran';
REVOKE ALL ON FUNCTION vigie.rule_grant_usage(regclass) FROM PUBLIC;
