-- Replaces the first version of rules_bad.sql, from before there were rules. A state costs milliseconds, since it
-- generates the function anew to compare; status() asks twice a minute. So the answer is kept until something changes.
CREATE OR REPLACE FUNCTION vigie.rules_bad()
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
<<seen>>
DECLARE
    fingerprint text := vigie.rule_fingerprint();
    bad int;
BEGIN
    SELECT s.bad INTO bad FROM vigie.rules_seen s
     WHERE s.fingerprint = seen.fingerprint AND s.at > clock_timestamp() - interval '1 hour';
    IF FOUND THEN
        RETURN bad;
    END IF;
    bad := (SELECT count(*) FROM vigie.rules WHERE state NOT IN ('ok', 'paused'));
    IF current_setting('transaction_read_only') = 'off' THEN
        PERFORM FROM vigie.rules_seen FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            UPDATE vigie.rules_seen s SET fingerprint = seen.fingerprint, bad = seen.bad, at = clock_timestamp();
        END IF;
    END IF;
    RETURN bad;
END
$fn$;

COMMENT ON FUNCTION vigie.rules_bad() IS 'Number of rules that do not work as declared';
REVOKE ALL ON FUNCTION vigie.rules_bad() FROM PUBLIC;
