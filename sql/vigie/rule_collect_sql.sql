-- An event without a room is meant for nobody; one without a company is a fault, which emit() counts.
CREATE OR REPLACE FUNCTION vigie.rule_collect_sql(r vigie.rule, sources text, condition text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format(E'%%s\n  FROM (%s) AS vigie_event\n WHERE cardinality(vigie_event.rooms) > 0 OR vigie_event.company IS NULL',
               replace(vigie.rule_query(r, sources, condition), '%', '%%'))
$fn$;

COMMENT ON FUNCTION vigie.rule_collect_sql(vigie.rule, text, text) IS
    'The query of a generated function as a format: %s takes what it makes of vigie_event';
REVOKE ALL ON FUNCTION vigie.rule_collect_sql(vigie.rule, text, text) FROM PUBLIC;
