-- What PostgreSQL asks itself in row_security_active(), for vigie_owner and not for the caller.
CREATE OR REPLACE FUNCTION vigie.rule_filtered_lookup(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT vigie.rule_relation_name(c.oid)
      FROM vigie.rule_lookup_sources(r) AS used
      JOIN pg_class c ON c.oid = used AND c.relrowsecurity
      JOIN pg_roles o ON o.rolname = 'vigie_owner' AND NOT o.rolsuper AND NOT o.rolbypassrls
     WHERE c.relforcerowsecurity OR NOT pg_has_role('vigie_owner', c.relowner, 'USAGE')
     ORDER BY 1
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_filtered_lookup(vigie.rule) IS 'First looked-up table of a rule whose row-level security applies to vigie_owner; NULL when there is none';
REVOKE ALL ON FUNCTION vigie.rule_filtered_lookup(vigie.rule) FROM PUBLIC;
