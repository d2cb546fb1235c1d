CREATE OR REPLACE FUNCTION vigie.rule_may_emit_sql()
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT $sql$IF has_function_privilege(to_regprocedure('vigie.emit(text,text,vigie.item[])'), 'EXECUTE') IS NOT TRUE THEN
            RAISE insufficient_privilege USING MESSAGE = 'vigie.emit() is missing or may not be executed';
        END IF;$sql$
$fn$;

COMMENT ON FUNCTION vigie.rule_may_emit_sql() IS
    'PL/pgSQL that fails while failing is still harmless when the call of emit() would fail';
REVOKE ALL ON FUNCTION vigie.rule_may_emit_sql() FROM PUBLIC;
