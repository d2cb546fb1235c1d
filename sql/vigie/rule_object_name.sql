-- The name of what is generated for an event: readable, never over the 63 bytes of a name, never the same for two events.
CREATE OR REPLACE FUNCTION vigie.rule_object_name(event text, op text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN octet_length(event) + octet_length(op) <= 62 THEN event || '/' || op
                ELSE left(event, 46) || '~' || left(md5(event), 8) || '/' || op END
$fn$;

COMMENT ON FUNCTION vigie.rule_object_name(text, text) IS
    'Name of the generated function of an event and operation, and after "vigie/" of its trigger';
REVOKE ALL ON FUNCTION vigie.rule_object_name(text, text) FROM PUBLIC;
