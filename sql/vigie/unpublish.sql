CREATE OR REPLACE FUNCTION vigie.unpublish(event text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
AS $fn$
#variable_conflict use_variable
DECLARE
    gone vigie.rule;
BEGIN
    PERFORM vigie.rule_lock();
    PERFORM vigie.rule_remove(event, NULL, '{}');
    DELETE FROM vigie.rule t WHERE t.event = event RETURNING * INTO gone;
    IF gone.event IS NULL THEN
        RETURN false;
    END IF;
    PERFORM vigie.rule_sync_grants(relation) FROM vigie.rule_lookup_sources(gone) AS relation;
    PERFORM vigie.rule_revoke_usage(c.relnamespace::regnamespace)
       FROM (SELECT to_regclass(gone.source) AS oid UNION SELECT * FROM vigie.rule_lookup_sources(gone)) AS used
       JOIN pg_class c ON c.oid = used.oid;
    RETURN true;
END
$fn$;

COMMENT ON FUNCTION vigie.unpublish(text) IS
    'Takes an event back: triggers, functions, column privileges, rule; false when it was not published';
REVOKE ALL ON FUNCTION vigie.unpublish(text) FROM PUBLIC;
