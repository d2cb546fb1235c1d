-- regclass::text leaves the schema out when it is on the search_path; a rule must not depend on that.
CREATE OR REPLACE FUNCTION vigie.rule_relation_name(relation regclass)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('%I.%I', n.nspname, c.relname)
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = relation
$fn$;

COMMENT ON FUNCTION vigie.rule_relation_name(regclass) IS 'Quoted, schema-qualified name of a table, whatever the search_path';
REVOKE ALL ON FUNCTION vigie.rule_relation_name(regclass) FROM PUBLIC;
