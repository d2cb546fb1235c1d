-- changes and condition as one expression; IS DISTINCT FROM because ORMs write every column.
CREATE OR REPLACE FUNCTION vigie.rule_condition(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT nullif(concat_ws(E'\n       AND ',
               '(' || (SELECT string_agg(format('old.%I IS DISTINCT FROM new.%1$I', name), ' OR ') FROM unnest(r.changes) AS name) || ')',
               '(' || r.condition || ')'), '')
$fn$;

COMMENT ON FUNCTION vigie.rule_condition(vigie.rule) IS 'When a rule publishes, as one SQL expression; NULL is always';
REVOKE ALL ON FUNCTION vigie.rule_condition(vigie.rule) FROM PUBLIC;
