CREATE OR REPLACE FUNCTION vigie.rule_room_array(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('ARRAY[%s]::text[]', string_agg(vigie.rule_room_expression(room), ', ' ORDER BY n))
      FROM unnest(r.rooms) WITH ORDINALITY AS t(room, n)
$fn$;

COMMENT ON FUNCTION vigie.rule_room_array(vigie.rule) IS 'SQL of the rooms of an event, NULL for a room with a null part';
REVOKE ALL ON FUNCTION vigie.rule_room_array(vigie.rule) FROM PUBLIC;
