-- Where a statement trigger finds new, old and rec. The side that an operation has not is a row of nulls, so that
-- one rule may serve several operations.
CREATE OR REPLACE FUNCTION vigie.rule_sources(r vigie.rule, op text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('%1$s AS %2$s CROSS JOIN LATERAL (SELECT %2$s.*) AS rec', transition, here)
        || CASE WHEN vigie.rule_mentions(r, there)
                THEN format(' LEFT JOIN (SELECT * FROM %s WHERE false) AS %s ON true', transition, there) ELSE '' END
      FROM (SELECT CASE op WHEN 'insert' THEN 'vigie_new' ELSE 'vigie_old' END AS transition,
                   CASE op WHEN 'insert' THEN 'new' ELSE 'old' END AS here,
                   CASE op WHEN 'insert' THEN 'old' ELSE 'new' END AS there) AS side
$fn$;

COMMENT ON FUNCTION vigie.rule_sources(vigie.rule, text) IS 'FROM list of a statement trigger over its transition table';
REVOKE ALL ON FUNCTION vigie.rule_sources(vigie.rule, text) FROM PUBLIC;
