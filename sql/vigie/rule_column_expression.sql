-- company_id -> rec.company_id; client.agenceId -> client."agenceId". Names are taken as the table has them.
CREATE OR REPLACE FUNCTION vigie.rule_column_expression(reference text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN strpos(reference, '.') = 0 THEN format('rec.%I', reference)
                ELSE format('%I.%I', split_part(reference, '.', 1), split_part(reference, '.', 2)) END
$fn$;

COMMENT ON FUNCTION vigie.rule_column_expression(text) IS 'SQL of a column reference: column of rec, or alias.column';
REVOKE ALL ON FUNCTION vigie.rule_column_expression(text) FROM PUBLIC;
