-- A statement may write millions of rows: they are emitted a thousand at a time, in their order, so that what we need
-- of memory is work_mem. (A server that runs out of memory stops everybody's business.)
CREATE OR REPLACE FUNCTION vigie.rule_chunk_sql(r vigie.rule, sources text, condition text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format(E'vigie.emit(%L, %L, vigie_chunk.items)\n'
               || E'  FROM (SELECT array_agg(ROW(vigie_row.company, vigie_row.rooms, vigie_row.payload)::vigie.item) AS items\n'
               || E'  FROM (%s) AS vigie_row\n GROUP BY vigie_row.chunk ORDER BY vigie_row.chunk) AS vigie_chunk',
               r.channel, r.event,
               format(vigie.rule_collect_sql(r, sources, condition), 'SELECT vigie_event.*, (row_number() OVER () - 1) / 1000 AS chunk'))
$fn$;

COMMENT ON FUNCTION vigie.rule_chunk_sql(vigie.rule, text, text) IS 'What a generated statement trigger performs';
REVOKE ALL ON FUNCTION vigie.rule_chunk_sql(vigie.rule, text, text) FROM PUBLIC;
