CREATE OR REPLACE FUNCTION vigie.rule_signature(func oid)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('%I.%I(%s)', n.nspname, p.proname,
               (SELECT string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.n) FROM unnest(p.proargtypes) WITH ORDINALITY AS t(oid, n)))
      FROM pg_proc p
      JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.oid = func
$fn$;

COMMENT ON FUNCTION vigie.rule_signature(oid) IS 'Schema-qualified signature of a function, the same before and after dump and restore';
REVOKE ALL ON FUNCTION vigie.rule_signature(oid) FROM PUBLIC;
