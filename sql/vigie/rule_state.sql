CREATE OR REPLACE FUNCTION vigie.rule_state(r vigie.rule, op text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT coalesce(vigie.rule_trigger_trouble(r, op), vigie.rule_column_trouble(r), vigie.rule_privilege_trouble(r),
                    'row-level security applies to vigie_owner: ' || vigie.rule_filtered_lookup(r),
                    vigie.rule_function_trouble(r), vigie.rule_protected(r),
                    CASE WHEN r.paused IS NOT NULL THEN 'paused' ELSE 'ok' END)
$fn$;

COMMENT ON FUNCTION vigie.rule_state(vigie.rule, text) IS 'ok, paused, or the first thing in which the database no longer does what the rule says';
REVOKE ALL ON FUNCTION vigie.rule_state(vigie.rule, text) FROM PUBLIC;
