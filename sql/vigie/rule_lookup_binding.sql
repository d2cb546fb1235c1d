-- A wrong foreign key must not carry a name across companies: the looked-up row belongs to the event's company.
CREATE OR REPLACE FUNCTION vigie.rule_lookup_binding(source regclass, lookups vigie.lookup[], company text, alias text, company_column text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN company_column IS NULL OR company = alias || '.' || company_column THEN NULL
                WHEN here.atttypid = there.atttypid THEN format('%I.%I = %s', alias, company_column, vigie.rule_column_expression(company))
                ELSE format('(%I.%I)::text = (%s)::text', alias, company_column, vigie.rule_column_expression(company)) END
      FROM (SELECT coalesce((SELECT l.source::regclass FROM unnest(lookups) l WHERE rule_lookup_binding.company LIKE l.alias || '.%'), source) AS owner) o
      LEFT JOIN pg_attribute here ON here.attrelid = o.owner AND here.attname = regexp_replace(company, '^.*\.', '')
      LEFT JOIN pg_attribute there ON there.attrelid = (SELECT l.source::regclass FROM unnest(lookups) l WHERE l.alias = rule_lookup_binding.alias)
                                  AND there.attname = company_column
$fn$;

COMMENT ON FUNCTION vigie.rule_lookup_binding(regclass, vigie.lookup[], text, text, text) IS
    'Condition that binds a looked-up row to the company of the event; NULL when its table has no company';
REVOKE ALL ON FUNCTION vigie.rule_lookup_binding(regclass, vigie.lookup[], text, text, text) FROM PUBLIC;
