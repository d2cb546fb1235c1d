-- Every lookup with its join and its binding written out. The one that gives the company comes first, since the
-- others are bound to it.
CREATE OR REPLACE FUNCTION vigie.rule_lookups(source regclass, lookups vigie.lookup[], company text)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'alias', l.alias,
               'source', l.source,
               'given_match', l.match,
               'given_company', l.company,
               'match', coalesce(vigie.rule_expression('match of lookup ' || l.alias, l.match),
                                 vigie.rule_lookup_match(rule_lookups.source, l.alias, l.source::regclass)),
               'binding', vigie.rule_lookup_binding(rule_lookups.source, lookups, rule_lookups.company, l.alias,
                              coalesce(l.company, vigie.rule_company_column(l.source::regclass))))
           ORDER BY rule_lookups.company LIKE l.alias || '.%' DESC, l.n), '[]')
      FROM unnest(lookups) WITH ORDINALITY AS l(alias, source, match, company, n)
$fn$;

COMMENT ON FUNCTION vigie.rule_lookups(regclass, vigie.lookup[], text) IS 'The lookups of a rule, resolved: source, match, binding to the company';
REVOKE ALL ON FUNCTION vigie.rule_lookups(regclass, vigie.lookup[], text) FROM PUBLIC;
