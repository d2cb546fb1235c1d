-- The call that declares a rule again, argument by argument; what has its default is left out.
CREATE OR REPLACE FUNCTION vigie.rule_call(r vigie.rule)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format(E'SELECT * FROM vigie.publish(\n%s);', string_agg(format('    %s => %s', rpad(argument, 9), value), E',\n' ORDER BY n))
      FROM (VALUES
        (1, 'event', quote_literal(r.event)),
        (2, 'source', quote_literal(r.source)),
        (3, 'ops', quote_literal(array_to_string(r.ops, ', '))),
        (4, 'changes', quote_literal(array_to_string(r.changes, ', '))),
        (5, 'condition', '$rule$ ' || r.condition || ' $rule$'),
        (6, 'company', quote_literal(r.company)),
        (7, 'lookups', (SELECT format('ARRAY[%s]', string_agg('vigie.lookup(' || concat_ws(', ', quote_literal(l->>'alias'), quote_literal(l->>'source'),
                                   CASE WHEN coalesce(l->>'given_match', l->>'given_company') IS NOT NULL
                                        THEN coalesce('$rule$ ' || (l->>'given_match') || ' $rule$', 'NULL') END,
                                   quote_literal(l->>'given_company')) || ')', ', ' ORDER BY ord))
                          FROM jsonb_array_elements(r.lookups) WITH ORDINALITY AS j(l, ord))),
        (8, 'rooms', quote_literal(array_to_string(r.rooms, ', '))),
        (9, 'payload', format('$rule$ %s $rule$', r.payload)),
        (10, 'mode', CASE WHEN r.mode <> 'auto' THEN quote_literal(r.mode) END),
        (11, 'guard', CASE WHEN r.guard <> 'body' THEN quote_literal(r.guard) END),
        (12, 'on_error', CASE WHEN r.on_error <> 'warn' THEN quote_literal(r.on_error) END),
        (13, 'comment', quote_literal(r.comment))) AS a(n, argument, value)
     WHERE value IS NOT NULL AND NOT (argument = 'lookups' AND r.lookups = '[]')
$fn$;

COMMENT ON FUNCTION vigie.rule_call(vigie.rule) IS 'The publish() call of a rule, as a DBA would write it';
REVOKE ALL ON FUNCTION vigie.rule_call(vigie.rule) FROM PUBLIC;
