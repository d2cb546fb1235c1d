-- Everything generated for an event but what its rule still wants: triggers on any table, then functions.
CREATE OR REPLACE FUNCTION vigie.rule_remove(event text, kept_source regclass, kept_ops text[])
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
#variable_conflict use_variable
DECLARE
    op text;
    generated regprocedure;
    t record;
BEGIN
    FOREACH op IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
        generated := vigie.rule_function(event, op);
        CONTINUE WHEN generated IS NULL;
        FOR t IN SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger
                  WHERE tgfoid = generated AND tgparentid = 0 AND NOT (tgrelid = kept_source AND op = ANY (kept_ops)) LOOP
            EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, vigie.rule_relation_name(t.relation));
            RETURN NEXT format('%I on %s', t.tgname, vigie.rule_relation_name(t.relation));
        END LOOP;
        IF op <> ALL (kept_ops) THEN
            EXECUTE format('DROP FUNCTION vigie_gen.%I()', vigie.rule_object_name(event, op));
        END IF;
    END LOOP;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_remove(text, regclass, text[]) IS 'Drops triggers and functions of an event that are not wanted any more; returns the triggers';
REVOKE ALL ON FUNCTION vigie.rule_remove(text, regclass, text[]) FROM PUBLIC;
