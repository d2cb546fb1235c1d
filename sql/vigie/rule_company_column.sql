-- The column that says to which company a row belongs; NULL when the table has none.
CREATE OR REPLACE FUNCTION vigie.rule_company_column(relation regclass)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    found_columns text[] := ARRAY(
        SELECT a.attname FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
           AND vigie.rule_normalise(a.attname) IN ('company_id', 'tenant_id', 'organization_id', 'organisation_id',
                                                   'org_id', 'societe_id', 'entreprise_id')
         ORDER BY a.attnum);
BEGIN
    IF cardinality(found_columns) > 1 THEN
        PERFORM vigie.rule_refuse('42702', format('%s has several company columns: %s',
                vigie.rule_relation_name(relation), array_to_string(found_columns, ', ')),
            'Say which one: company => ''…'' in publish(), or the fourth argument of vigie.lookup().');
    END IF;
    RETURN found_columns[1];
END
$fn$;

COMMENT ON FUNCTION vigie.rule_company_column(regclass) IS 'The company column of a table found by its name; NULL when none, a refusal when several';
REVOKE ALL ON FUNCTION vigie.rule_company_column(regclass) FROM PUBLIC;
