CREATE OR REPLACE FUNCTION vigie.resume(event text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
AS $fn$
DECLARE
    r vigie.rule;
BEGIN
    PERFORM vigie.rule_lock();
    r := vigie.rule_find(event);
    r.paused := NULL;
    PERFORM vigie.rule_install_function(r, op) FROM unnest(r.ops) AS op;
    PERFORM vigie.rule_store(r);
END
$fn$;

COMMENT ON FUNCTION vigie.resume(text) IS 'Restores a paused event without touching its table; what happened meanwhile is not sent';
REVOKE ALL ON FUNCTION vigie.resume(text) FROM PUBLIC;
