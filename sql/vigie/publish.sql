CREATE OR REPLACE FUNCTION vigie.publish(
    event     text,
    source    regclass,
    ops       text,
    payload   text,
    rooms     text,
    company   text DEFAULT NULL,
    condition text DEFAULT NULL,
    changes   text DEFAULT NULL,
    lookups   vigie.lookup[] DEFAULT '{}',
    mode      text DEFAULT 'auto',
    guard     text DEFAULT 'body',
    on_error  text DEFAULT 'warn',
    comment   text DEFAULT NULL,
    dry_run   boolean DEFAULT false)
RETURNS TABLE(step text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
SET standard_conforming_strings = on
AS $fn$
#variable_conflict use_variable
DECLARE
    r vigie.rule;
    state text;
    message text;
    details text;
    hint text;
    context text;
BEGIN
    PERFORM vigie.rule_lock();
    BEGIN
        r := vigie.rule_check(vigie.rule_declare(event, source, ops, payload, rooms, company, condition, changes,
                                                 lookups, mode, guard, on_error, comment));
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, details = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
                                context = PG_EXCEPTION_CONTEXT;
        IF context LIKE '%vigie.rule\_refuse(%' THEN -- said anew from here: whoever is refused need not see our insides
            PERFORM vigie.rule_refuse(state, message, hint, details);
        END IF;
        RAISE;
    END;
    IF dry_run THEN
        RETURN QUERY SELECT * FROM vigie.rule_describe(r);
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM vigie.rule_install(r);
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unchanged', event;
    END IF;
    RETURN QUERY SELECT * FROM vigie.rule_notes(vigie.rule_find(event));
END
$fn$;

COMMENT ON FUNCTION vigie.publish(text, regclass, text, text, text, text, text, text, vigie.lookup[], text, text, text, text, boolean) IS
    'Declares an event of a table: idempotent, transactional, reversible by vigie.unpublish(); see docs/dba.md';
REVOKE ALL ON FUNCTION vigie.publish(text, regclass, text, text, text, text, text, text, vigie.lookup[], text, text, text, text, boolean) FROM PUBLIC;
