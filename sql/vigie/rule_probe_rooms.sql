CREATE OR REPLACE FUNCTION vigie.rule_probe_rooms(r vigie.rule)
RETURNS regclass
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT vigie.rule_probe(r.event, 'rooms', format('SELECT (%s)::text AS company, %s AS rooms FROM %s',
               vigie.rule_column_expression(r.company), vigie.rule_room_array(r), vigie.rule_probe_from(r)))
$fn$;

COMMENT ON FUNCTION vigie.rule_probe_rooms(vigie.rule) IS 'Probe view of the company and the rooms of a rule';
REVOKE ALL ON FUNCTION vigie.rule_probe_rooms(vigie.rule) FROM PUBLIC;
