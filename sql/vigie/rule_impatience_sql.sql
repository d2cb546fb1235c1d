CREATE OR REPLACE FUNCTION vigie.rule_impatience_sql()
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT $sql$PERFORM set_config('lock_timeout', current_setting('vigie.lock_timeout'), true);$sql$
$fn$;

COMMENT ON FUNCTION vigie.rule_impatience_sql() IS 'PL/pgSQL that gives the business its lock_timeout back';
REVOKE ALL ON FUNCTION vigie.rule_impatience_sql() FROM PUBLIC;
