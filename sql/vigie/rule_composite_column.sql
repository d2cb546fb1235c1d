-- A column of a composite type may be published by field only: a field added to the type tomorrow stays private.
CREATE OR REPLACE FUNCTION vigie.rule_composite_column(tree text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format_type(t.oid, NULL)
      FROM (SELECT DISTINCT m[1]::oid AS oid
              FROM regexp_matches(regexp_replace(tree, '\{FIELDSELECT :arg \{VAR [^{}]*\}', '', 'g'), ':vartype (\d+)', 'g') AS m) v
      JOIN pg_type t ON t.oid = v.oid
      LEFT JOIN pg_type e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.typbasetype END
     WHERE 'c' IN (t.typtype, e.typtype)
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_composite_column(text) IS 'Composite type that a part of a rule reads as a whole; NULL when none';
REVOKE ALL ON FUNCTION vigie.rule_composite_column(text) FROM PUBLIC;
