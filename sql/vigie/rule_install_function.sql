-- Creating and revoking happen in one transaction: nobody else can ever execute it. Replacing it takes no lock on
-- the business table.
CREATE OR REPLACE FUNCTION vigie.rule_install_function(r vigie.rule, op text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    body text := vigie.rule_body(r, op);
    present regprocedure := vigie.rule_function(r.event, op);
    name text := format('vigie_gen.%I', vigie.rule_object_name(r.event, op));
BEGIN
    IF EXISTS (SELECT FROM pg_proc p WHERE p.oid = present AND p.prosrc = body AND p.prosecdef
                  AND p.proowner = 'vigie_owner'::regrole AND p.proconfig = vigie.rule_settings()) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
                        SET search_path = pg_catalog, pg_temp SET row_security = off AS %L',
                   name, body);
    EXECUTE format('ALTER FUNCTION %s() OWNER TO vigie_owner', name);
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', name);
    EXECUTE format('COMMENT ON FUNCTION %s() IS %L', name, format('Vigie: publishes %s on %s of %s', r.event, op, r.source));
    RETURN CASE WHEN present IS NULL THEN 'function created' ELSE 'function replaced' END;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_install_function(vigie.rule, text) IS 'Creates or replaces the generated function of a rule; NULL when it was right already';
REVOKE ALL ON FUNCTION vigie.rule_install_function(vigie.rule, text) FROM PUBLIC;
