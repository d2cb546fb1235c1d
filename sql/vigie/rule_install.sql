CREATE OR REPLACE FUNCTION vigie.rule_install(r vigie.rule)
RETURNS TABLE(step text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
#variable_conflict use_variable
DECLARE
    had vigie.rule := (SELECT t FROM vigie.rule t WHERE t.event = r.event);
    op text;
    relation regclass;
BEGIN
    r.paused := had.paused;
    FOR detail IN SELECT * FROM vigie.rule_remove(r.event, r.source::regclass, r.ops) LOOP
        step := 'trigger dropped';
        RETURN NEXT;
    END LOOP;
    FOREACH op IN ARRAY r.ops LOOP
        step := vigie.rule_install_function(r, op);
        detail := vigie.rule_function(r.event, op)::text;
        IF step IS NOT NULL THEN RETURN NEXT; END IF;
        step := vigie.rule_install_trigger(r, op);
        detail := format('%I on %s', vigie.rule_trigger_name(r.event, op), r.source);
        IF step IS NOT NULL THEN RETURN NEXT; END IF;
    END LOOP;
    IF vigie.rule_store(r) THEN
        step := 'rule stored'; detail := r.event;
        RETURN NEXT;
    END IF;
    FOR relation IN SELECT r.source::regclass UNION SELECT * FROM vigie.rule_lookup_sources(r) LOOP
        step := 'privilege'; detail := vigie.rule_grant_usage(relation);
        IF detail IS NOT NULL THEN RETURN NEXT; END IF;
    END LOOP;
    FOR relation IN SELECT * FROM vigie.rule_lookup_sources(had) UNION SELECT * FROM vigie.rule_lookup_sources(r) LOOP
        FOR detail IN SELECT * FROM vigie.rule_sync_grants(relation) LOOP
            step := 'privilege';
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_install(vigie.rule) IS 'Makes the database do what a rule says; returns only what had to be changed';
REVOKE ALL ON FUNCTION vigie.rule_install(vigie.rule) FROM PUBLIC;
