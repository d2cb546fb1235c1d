-- Company, rooms and payload of each row of `sources`, which names new, old and rec (or leaves them to PL/pgSQL).
-- A lookup reads only the columns that the rule uses, and gives 0 or 1 row: it never multiplies events.
CREATE OR REPLACE FUNCTION vigie.rule_query(r vigie.rule, sources text, condition text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT concat_ws(E'\n',
        format('SELECT (%s)::text AS company,', vigie.rule_column_expression(r.company)),
        format('       array_remove(%s, NULL) AS rooms,', vigie.rule_room_array(r)),
               '       row_to_json(vigie_payload) AS payload',
        format('  FROM %s', sources),
        (SELECT string_agg(format(E'  LEFT JOIN LATERAL (SELECT %s FROM %s AS %I\n        WHERE (%s\n)%s LIMIT 1) AS %3$I ON true',
                    coalesce((SELECT string_agg(format('%I.%I', l->>'alias', c), ', ') FROM jsonb_array_elements_text(l->'columns') AS c), '1 AS one'),
                    l->>'source', l->>'alias', l->>'match', ' AND ' || (l->>'binding')), E'\n' ORDER BY n)
           FROM jsonb_array_elements(r.lookups) WITH ORDINALITY AS t(l, n)),
        format(' CROSS JOIN LATERAL (%s) AS vigie_payload', vigie.rule_payload_query(r)),
        ' WHERE ' || condition)
$fn$;

COMMENT ON FUNCTION vigie.rule_query(vigie.rule, text, text) IS 'The SELECT that makes the events of a rule out of rows';
REVOKE ALL ON FUNCTION vigie.rule_query(vigie.rule, text, text) FROM PUBLIC;
