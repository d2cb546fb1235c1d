CREATE OR REPLACE FUNCTION vigie.rule_trigger_is_right(r vigie.rule, op text)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT EXISTS (SELECT FROM pg_trigger t
                    WHERE t.tgrelid = r.source::regclass AND t.tgname = vigie.rule_trigger_name(r.event, op)
                      AND t.tgfoid = vigie.rule_function(r.event, op) AND t.tgenabled = 'O'
                      AND ((t.tgtype & 1) = 1) = (vigie.rule_mode(r, op) = 'row')
                      AND (t.tgqual IS NOT NULL) = (r.guard = 'when')
                      AND coalesce(obj_description(t.oid, 'pg_trigger'), '') = vigie.rule_trigger_comment(r, op))
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_is_right(vigie.rule, text) IS 'Whether the trigger of a rule stands as declared, so that the table need not be locked';
REVOKE ALL ON FUNCTION vigie.rule_trigger_is_right(vigie.rule, text) FROM PUBLIC;
