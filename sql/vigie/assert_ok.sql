CREATE OR REPLACE FUNCTION vigie.assert_ok(event text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
#variable_conflict use_variable
DECLARE
    bad text;
BEGIN
    IF event IS NOT NULL THEN
        PERFORM vigie.rule_find(event);
    END IF;
    SELECT string_agg(format('%s on %s: %s', t.event, t.op, t.state), E'\n' ORDER BY t.event, t.op) INTO bad
      FROM vigie.rules t WHERE t.state NOT IN ('ok', 'paused') AND t.event = coalesce(event, t.event);
    IF bad IS NOT NULL THEN
        PERFORM vigie.rule_refuse('55000', 'vigie rules are not in order', 'Publish these events again; docs/dba.md explains each state.', bad);
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.assert_ok(text) IS 'Fails, listing them, when rules are not in order; for verify scripts, cron and CI';
REVOKE ALL ON FUNCTION vigie.assert_ok(text) FROM PUBLIC;
