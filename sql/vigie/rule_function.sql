CREATE OR REPLACE FUNCTION vigie.rule_function(event text, op text)
RETURNS regprocedure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT to_regprocedure(format('vigie_gen.%I()', vigie.rule_object_name(event, op)))
$fn$;

COMMENT ON FUNCTION vigie.rule_function(text, text) IS 'The generated trigger function of an event and operation, NULL when there is none';
REVOKE ALL ON FUNCTION vigie.rule_function(text, text) FROM PUBLIC;
