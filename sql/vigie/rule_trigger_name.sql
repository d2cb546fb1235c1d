CREATE OR REPLACE FUNCTION vigie.rule_trigger_name(event text, op text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN octet_length(event) + octet_length(op) <= 56 THEN 'vigie_' || event || '/' || op
                ELSE 'vigie_' || left(event, 40) || '~' || left(md5(event), 8) || '/' || op END
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_name(text, text) IS 'Name of the trigger of an event and operation on its business table';
REVOKE ALL ON FUNCTION vigie.rule_trigger_name(text, text) FROM PUBLIC;
