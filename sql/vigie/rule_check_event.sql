CREATE OR REPLACE FUNCTION vigie.rule_check_event(event text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    IF event IN ('connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener') THEN
        PERFORM vigie.rule_refuse('42939', format('event name %L is reserved by Socket.IO', event),
            'Name the event domain:verb, for example devis:signed.');
    END IF;
    IF event IS NULL OR event !~ '^[a-z][a-z0-9_.-]*(:[a-z][a-z0-9_.-]*)+$' OR length(event) > 64 THEN
        PERFORM vigie.rule_refuse('42602', format('event name %L is not well formed', event),
            'Lower-case domain:verb, letters without accent, digits, _ . and -, at most 64 characters: devis:signed.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_event(text) IS 'Refuses an event name that a client could not or must not see';
REVOKE ALL ON FUNCTION vigie.rule_check_event(text) FROM PUBLIC;
