-- A browser rounds integers beyond 2^53: an int8 out of that range leaves as a string, digit for digit.
CREATE OR REPLACE FUNCTION vigie.rule_payload_query(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN NOT r.fields @> '[{"type": "bigint"}]' THEN format(E'SELECT %s\n', r.payload)
           ELSE format(E'SELECT %s FROM (SELECT %s\n) AS vigie_field',
               (SELECT string_agg(CASE WHEN f->>'type' = 'bigint'
                           THEN format('CASE WHEN vigie_field.%I BETWEEN -9007199254740991 AND 9007199254740991 '
                                    || 'THEN to_json(vigie_field.%1$I) ELSE to_json(vigie_field.%1$I::text) END AS %1$I', f->>'name')
                           ELSE format('vigie_field.%I', f->>'name') END, ', ' ORDER BY n)
                  FROM jsonb_array_elements(r.fields) WITH ORDINALITY AS t(f, n)),
               r.payload) END
$fn$;

COMMENT ON FUNCTION vigie.rule_payload_query(vigie.rule) IS 'SQL of the payload of an event as one row, its keys in the declared order';
REVOKE ALL ON FUNCTION vigie.rule_payload_query(vigie.rule) FROM PUBLIC;
