-- After ALTER COLUMN TYPE a session that has run a row trigger keeps a plan for the old type and fails with
-- datatype_mismatch until it ends: pooled sessions would lose events for days. Then the same query is planned afresh
-- from the text form of the rows.
CREATE OR REPLACE FUNCTION vigie.rule_replan_sql(r vigie.rule, op text, targets text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('replace(%L, ''vigie_row_type'', TG_RELID::regclass::text)',
               format(vigie.rule_collect_sql(r,
                   '(SELECT ($1::vigie_row_type).*) AS new CROSS JOIN (SELECT ($2::vigie_row_type).*) AS old CROSS JOIN LATERAL '
                   || CASE op WHEN 'delete' THEN '(SELECT old.*) AS rec' ELSE '(SELECT new.*) AS rec' END,
                   vigie.rule_condition(r)), targets))
$fn$;

COMMENT ON FUNCTION vigie.rule_replan_sql(vigie.rule, text, text) IS 'Second try of a generated row trigger whose cached plan is older than the table';
REVOKE ALL ON FUNCTION vigie.rule_replan_sql(vigie.rule, text, text) FROM PUBLIC;
