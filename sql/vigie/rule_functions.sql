CREATE OR REPLACE FUNCTION vigie.rule_functions(tree text)
RETURNS SETOF oid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT DISTINCT m[1]::oid
      FROM regexp_matches(tree, ':(?:funcid|opfuncid|hashfuncid|negfuncid|elemfuncid|resultfunc) (\d+)', 'g') AS m
     WHERE m[1] <> '0'
$fn$;

COMMENT ON FUNCTION vigie.rule_functions(text) IS 'Functions called by a parse tree, those of operators and casts included';
REVOKE ALL ON FUNCTION vigie.rule_functions(text) FROM PUBLIC;
