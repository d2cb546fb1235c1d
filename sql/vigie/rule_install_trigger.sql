-- CREATE OR REPLACE TRIGGER exists from PostgreSQL 14 on; drop and create does the same under the same lock.
CREATE OR REPLACE FUNCTION vigie.rule_install_trigger(r vigie.rule, op text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $fn$
DECLARE
    name text := vigie.rule_trigger_name(r.event, op);
    present boolean := EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = r.source::regclass AND t.tgname = name);
BEGIN
    IF vigie.rule_trigger_is_right(r, op) THEN
        RETURN NULL;
    END IF;
    IF present THEN
        EXECUTE format('DROP TRIGGER %I ON %s', name, r.source);
    END IF;
    EXECUTE vigie.rule_trigger_sql(r, op);
    RETURN CASE WHEN present THEN 'trigger replaced' ELSE 'trigger created' END;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_install_trigger(vigie.rule, text) IS 'Creates or replaces the trigger of a rule; NULL when it was right already';
REVOKE ALL ON FUNCTION vigie.rule_install_trigger(vigie.rule, text) FROM PUBLIC;
