-- Rows of the table itself in the place of a trigger's rows: for the last probe, previews and dry runs.
CREATE OR REPLACE FUNCTION vigie.rule_sample(r vigie.rule, max_rows int)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('(SELECT * FROM %s%s LIMIT %s) AS new CROSS JOIN LATERAL (SELECT new.*) AS rec CROSS JOIN LATERAL (SELECT new.*) AS old',
               r.source,
               ' ORDER BY ' || (SELECT string_agg(format('%I DESC', a.attname), ', ' ORDER BY array_position(i.indkey::int2[], a.attnum))
                                  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                                 WHERE i.indrelid = r.source::regclass AND i.indisprimary),
               coalesce(max_rows, 1))
$fn$;

COMMENT ON FUNCTION vigie.rule_sample(vigie.rule, int) IS 'FROM list with the last rows of a rule''s table as new, old and rec';
REVOKE ALL ON FUNCTION vigie.rule_sample(vigie.rule, int) FROM PUBLIC;
