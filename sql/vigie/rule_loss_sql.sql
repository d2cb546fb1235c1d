-- The handler of a generated function: counts, and when even that is impossible warns. In a block of its own, since
-- the right to call note_loss() may be what is missing.
CREATE OR REPLACE FUNCTION vigie.rule_loss_sql(event text, lost text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format($sql$DECLARE
                vigie_reason text := SQLSTATE || ' ' || SQLERRM;
            BEGIN
                PERFORM vigie.note_loss(%L, vigie_reason, %s);
                RETURN NULL;
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'vigie: event %s lost and not counted: %%, %%', vigie_reason, SQLERRM;
                RETURN NULL;
            END;$sql$, event, lost, event)
$fn$;

COMMENT ON FUNCTION vigie.rule_loss_sql(text, text) IS 'PL/pgSQL of the exception handler of a generated function';
REVOKE ALL ON FUNCTION vigie.rule_loss_sql(text, text) FROM PUBLIC;
