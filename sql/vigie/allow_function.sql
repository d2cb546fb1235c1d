CREATE OR REPLACE FUNCTION vigie.allow_function(func regprocedure, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    p pg_proc := (SELECT t FROM pg_proc t WHERE t.oid = func);
    signature text := vigie.rule_signature(func);
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN
        PERFORM vigie.rule_refuse('22023', 'a registered function needs a reason', 'Say what rules need it for.');
    ELSIF p.pronamespace = 'pg_catalog'::regnamespace THEN
        PERFORM vigie.rule_refuse('42501', format('%s belongs to PostgreSQL and cannot be registered', signature),
            'What is safe is allowed already. Wrap it in a function of yours that returns only what the event needs.');
    ELSIF p.provolatile = 'v' OR p.prokind <> 'f' OR p.proretset THEN
        PERFORM vigie.rule_refuse('42501', format('%s is volatile, returns a set or is no plain function', signature),
            'Declare it STABLE or IMMUTABLE if it is; a rule must not write.');
    ELSIF NOT (has_function_privilege('vigie_owner', func, 'EXECUTE') AND has_schema_privilege('vigie_owner', p.pronamespace, 'USAGE')) THEN
        PERFORM vigie.rule_refuse('42501', format('vigie_owner may not execute %s', signature),
            format('GRANT USAGE ON SCHEMA %s TO vigie_owner; GRANT EXECUTE ON FUNCTION %s TO vigie_owner;', p.pronamespace::regnamespace, signature));
    END IF;
    INSERT INTO vigie.allowed_function AS a (signature, reason) VALUES (signature, allow_function.reason)
        ON CONFLICT ON CONSTRAINT allowed_function_pkey DO UPDATE SET reason = excluded.reason;
END
$fn$;

COMMENT ON FUNCTION vigie.allow_function(regprocedure, text) IS 'Registers a function of the DBA that rules may call';
REVOKE ALL ON FUNCTION vigie.allow_function(regprocedure, text) FROM PUBLIC;
