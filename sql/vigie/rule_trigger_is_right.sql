CREATE OR REPLACE FUNCTION vigie.rule_trigger_is_right(r vigie.rule, op text)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT EXISTS (SELECT FROM pg_trigger t
                    WHERE t.tgrelid = r.source::regclass AND t.tgname = vigie.rule_trigger_name(r.event, op)
                      AND t.tgfoid = vigie.rule_function(r.event, op) AND t.tgenabled = 'O'
                      AND t.tgattr::text = ''
                      -- AFTER: 1 is FOR EACH ROW, then the bit of the operation
                      AND t.tgtype = CASE vigie.rule_mode(r, op) WHEN 'row' THEN 1 ELSE 0 END
                                   + CASE op WHEN 'insert' THEN 4 WHEN 'delete' THEN 8 ELSE 16 END
                      AND (t.tgqual IS NOT NULL) = (r.guard = 'when')
                      AND t.tgargs = coalesce(convert_to(vigie.rule_trigger_argument(r), 'UTF8') || '\x00'::bytea, ''::bytea))
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_is_right(vigie.rule, text) IS 'Whether the trigger of a rule stands as declared, so that the table need not be locked';
REVOKE ALL ON FUNCTION vigie.rule_trigger_is_right(vigie.rule, text) FROM PUBLIC;
