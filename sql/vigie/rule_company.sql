CREATE OR REPLACE FUNCTION vigie.rule_company(source regclass, company text, aliases text[])
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    reference text := coalesce(nullif(btrim(company), ''), vigie.rule_company_column(source));
BEGIN
    IF reference IS NULL THEN
        PERFORM vigie.rule_refuse('42703', format('%s has no company column', vigie.rule_relation_name(source)),
            'Say whose event it is: company => ''column'', or company => ''alias.column'' through a lookup.');
    ELSIF reference !~ '^[^.]+(\.[^.]+)?$' THEN
        PERFORM vigie.rule_refuse('42602', format('company %L is not a column', reference),
            'Write company => ''column'' or company => ''alias.column'', names as the table has them.');
    ELSIF strpos(reference, '.') > 0 AND split_part(reference, '.', 1) <> ALL (aliases || ARRAY['rec']) THEN
        PERFORM vigie.rule_refuse('42P01', format('company %L names no lookup of the rule', reference),
            'Add the lookup: lookups => ARRAY[vigie.lookup(''alias'', ''schema.table'')].');
    END IF;
    RETURN regexp_replace(reference, '^rec\.', '');
END
$fn$;

COMMENT ON FUNCTION vigie.rule_company(regclass, text, text[]) IS 'Where the company of an event is read: column of rec, or alias.column';
REVOKE ALL ON FUNCTION vigie.rule_company(regclass, text, text[]) FROM PUBLIC;
