CREATE OR REPLACE FUNCTION vigie.rule_function_trouble(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN p.oid IS NULL THEN 'function missing: ' || signature
                ELSE format('function not allowed: %s %s', signature, vigie.rule_function_refused(p.oid)) END
      FROM unnest(r.functions) AS signature
      LEFT JOIN pg_proc p ON p.oid = to_regprocedure(signature)
     WHERE p.oid IS NULL OR vigie.rule_function_refused(p.oid) IS NOT NULL
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_function_trouble(vigie.rule) IS 'First function of a rule that is gone or may not be called any more';
REVOKE ALL ON FUNCTION vigie.rule_function_trouble(vigie.rule) FROM PUBLIC;
