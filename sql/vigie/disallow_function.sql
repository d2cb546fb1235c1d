CREATE OR REPLACE FUNCTION vigie.disallow_function(func regprocedure)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    users text := (SELECT string_agg(r.event, ', ' ORDER BY r.event) FROM vigie.rule r WHERE vigie.rule_signature(func) = ANY (r.functions));
BEGIN
    IF users IS NOT NULL THEN
        PERFORM vigie.rule_refuse('55000', format('%s is called by rules: %s', vigie.rule_signature(func), users), 'Change these rules first.');
    END IF;
    DELETE FROM vigie.allowed_function a WHERE a.signature = vigie.rule_signature(func);
    RETURN FOUND;
END
$fn$;

COMMENT ON FUNCTION vigie.disallow_function(regprocedure) IS 'Takes a registration back; refused while a rule calls the function';
REVOKE ALL ON FUNCTION vigie.disallow_function(regprocedure) FROM PUBLIC;
