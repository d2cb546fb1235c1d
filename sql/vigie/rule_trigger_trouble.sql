CREATE OR REPLACE FUNCTION vigie.rule_trigger_trouble(r vigie.rule, op text)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    source regclass := to_regclass(r.source);
    generated regprocedure := vigie.rule_function(r.event, op);
    t pg_trigger;
BEGIN
    SELECT * INTO t FROM pg_trigger g WHERE g.tgfoid = generated AND g.tgparentid = 0
     ORDER BY g.tgrelid = source DESC NULLS LAST LIMIT 1;
    RETURN CASE
        WHEN source IS NULL AND t.oid IS NULL THEN 'table missing'
        WHEN t.tgrelid <> source OR (source IS NULL) THEN format('table renamed: %s', vigie.rule_relation_name(t.tgrelid))
        WHEN t.oid IS NULL THEN 'trigger missing'
        WHEN t.tgenabled <> 'O' THEN 'trigger disabled'
        WHEN (SELECT p.prosrc <> vigie.rule_body(r, op) OR NOT p.prosecdef OR p.proowner <> 'vigie_owner'::regrole
                     OR p.proconfig IS DISTINCT FROM vigie.rule_settings()
                FROM pg_proc p WHERE p.oid = generated) THEN 'function changed by hand'
        WHEN NOT vigie.rule_trigger_is_right(r, op) THEN 'trigger changed by hand'
    END;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_trouble(vigie.rule, text) IS 'What is wrong with the table, trigger or function of a rule; NULL when nothing';
REVOKE ALL ON FUNCTION vigie.rule_trigger_trouble(vigie.rule, text) FROM PUBLIC;
