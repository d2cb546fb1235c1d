-- The handler of a generated function: counts, and when even that is impossible warns. In a block of its own, since
-- the right to call note_loss() may be what is missing. The last warning is said as vigie.warn() says its own.
CREATE OR REPLACE FUNCTION vigie.rule_loss_sql(event text, lost text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format($sql$            DECLARE
                vigie_reason text := SQLSTATE || ' ' || SQLERRM;
            BEGIN
                IF vigie_reason LIKE '55P03%%' THEN
                    PERFORM set_config('vigie.gave_up', pg_current_xact_id()::text, true);
                END IF;
                IF has_function_privilege(to_regproc('vigie.emit'), 'EXECUTE') IS NOT TRUE THEN
                    vigie_reason := '42501 vigie.emit() is missing or may not be executed';
                END IF;
                PERFORM vigie.note_loss(%L, vigie_reason, %s);
            EXCEPTION WHEN OTHERS OR assert_failure THEN
                BEGIN
                    RAISE WARNING 'vigie: event %s lost and not counted: %%', regexp_replace(concat_ws(', ', vigie_reason, SQLERRM), '[^ -~]', '?', 'g');
                EXCEPTION WHEN untranslatable_character OR character_not_in_repertoire THEN
                    RETURN NULL;
                END;
            END;$sql$, event, lost, event)
$fn$;

COMMENT ON FUNCTION vigie.rule_loss_sql(text, text) IS 'PL/pgSQL of the exception handler of a generated function';
REVOKE ALL ON FUNCTION vigie.rule_loss_sql(text, text) FROM PUBLIC;
