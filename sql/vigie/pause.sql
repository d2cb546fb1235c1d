CREATE OR REPLACE FUNCTION vigie.pause(event text, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
AS $fn$
DECLARE
    r vigie.rule;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN
        PERFORM vigie.rule_refuse('22023', 'a pause needs a reason', 'vigie.pause(''devis:signed'', ''storm of updates, ticket 4711'').');
    END IF;
    PERFORM vigie.rule_lock();
    r := vigie.rule_find(event);
    r.paused := reason;
    PERFORM vigie.rule_install_function(r, op) FROM unnest(r.ops) AS op;
    PERFORM vigie.rule_store(r);
END
$fn$;

COMMENT ON FUNCTION vigie.pause(text, text) IS 'Stops an event without touching its table: its function does nothing until vigie.resume()';
REVOKE ALL ON FUNCTION vigie.pause(text, text) FROM PUBLIC;
