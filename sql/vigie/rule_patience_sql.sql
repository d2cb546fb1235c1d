-- Nobody waits long for us: neither for a looked-up table nor for the outbox, when a DBA has locked them. A transaction
-- waits once; the setting of the business is put back by rule_impatience_sql(), and by a rollback of the block.
CREATE OR REPLACE FUNCTION vigie.rule_patience_sql()
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT $sql$        IF current_setting('vigie.gave_up', true) = pg_current_xact_id_if_assigned()::text THEN
            RAISE lock_not_available USING MESSAGE = 'this transaction has waited for a lock already';
        END IF;
        PERFORM set_config('vigie.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', '100ms', true);$sql$
$fn$;

COMMENT ON FUNCTION vigie.rule_patience_sql() IS 'PL/pgSQL that bounds how long a generated function waits for locks';
REVOKE ALL ON FUNCTION vigie.rule_patience_sql() FROM PUBLIC;
