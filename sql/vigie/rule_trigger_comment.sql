CREATE OR REPLACE FUNCTION vigie.rule_trigger_comment(r vigie.rule, op text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('Vigie: publishes %s on %s', r.event, op)
        || CASE WHEN r.guard = 'when' THEN format(E'\nwhen %s', vigie.rule_condition(r)) ELSE '' END
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_comment(vigie.rule, text) IS 'Comment of a generated trigger; it holds the WHEN clause as it was written';
REVOKE ALL ON FUNCTION vigie.rule_trigger_comment(vigie.rule, text) FROM PUBLIC;
