CREATE OR REPLACE FUNCTION vigie.rule_find(event text)
RETURNS vigie.rule
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    r vigie.rule;
BEGIN
    SELECT * INTO r FROM vigie.rule t WHERE t.event = rule_find.event;
    IF NOT FOUND THEN
        PERFORM vigie.rule_refuse('42704', format('event %L is not published', event), 'SELECT event FROM vigie.rules lists what is.');
    END IF;
    RETURN r;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_find(text) IS 'The rule of an event, or a refusal';
REVOKE ALL ON FUNCTION vigie.rule_find(text) FROM PUBLIC;
