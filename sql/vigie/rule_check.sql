-- Lets PostgreSQL parse every part, then reads out of its catalogue what the rule publishes, reads and calls.
CREATE OR REPLACE FUNCTION vigie.rule_check(r vigie.rule)
RETURNS vigie.rule
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    probe_from text := vigie.rule_probe_from(r);
    payload regclass := vigie.rule_probe(r.event, 'payload', format(E'SELECT %s\n  FROM %s', r.payload, probe_from));
    rooms regclass := vigie.rule_probe_rooms(r);
    condition regclass := vigie.rule_probe(r.event, 'condition',
        format(E'SELECT %s\n AS condition FROM %s', coalesce(vigie.rule_condition(r), 'true'), probe_from));
    lookups regclass := vigie.rule_probe_lookups(r);
    tree text;
BEGIN
    PERFORM vigie.rule_inspect(r.event, part, view)
       FROM (VALUES ('payload', payload), ('rooms', rooms), ('condition', condition), ('lookups', lookups)) AS parts(part, view);
    PERFORM vigie.rule_check_boolean(r.event, condition), vigie.rule_check_boolean(r.event, lookups);
    IF r.guard = 'when' THEN
        PERFORM vigie.rule_check_guard(r, condition);
    END IF;

    SELECT string_agg(vigie.rule_tree(view), '') INTO tree FROM unnest(ARRAY[payload, rooms, condition, lookups]) AS view;
    r.fields := vigie.rule_fields(payload);
    r.publishes := ARRAY(SELECT path FROM vigie.rule_columns(ARRAY[payload, rooms]) ORDER BY 1);
    r.reads := ARRAY(SELECT path FROM vigie.rule_columns(ARRAY[condition, lookups]) WHERE path <> ALL (r.publishes) ORDER BY 1);
    r.types := (SELECT coalesce(jsonb_object_agg(path, type), '{}') FROM vigie.rule_columns(ARRAY[payload, rooms, condition, lookups]));
    r.functions := ARRAY(SELECT vigie.rule_signature(f) FROM vigie.rule_functions(tree) AS f
                           JOIN pg_proc p ON p.oid = f AND p.pronamespace <> 'pg_catalog'::regnamespace ORDER BY 1);
    r.early := NOT vigie.rule_reads_lookup(r, vigie.rule_tree(condition));
    r.lookups := (SELECT coalesce(jsonb_agg(l || jsonb_build_object('columns',
                              (SELECT coalesce(jsonb_agg(DISTINCT c ORDER BY c), '[]')
                                 FROM unnest(ARRAY[payload, rooms, condition, lookups]) AS view
                                CROSS JOIN unnest(vigie.rule_alias_columns(vigie.rule_tree(view), l->>'alias', (l->>'source')::regclass)) AS c))
                              ORDER BY n), '[]')
                    FROM jsonb_array_elements(r.lookups) WITH ORDINALITY AS t(l, n));
    PERFORM vigie.rule_check_row_security(r);
    PERFORM vigie.rule_check_sensitive(r.event, r.publishes);
    PERFORM vigie.rule_probe(r.event, 'query', vigie.rule_query(r, vigie.rule_sample(r, NULL), vigie.rule_condition(r)));
    DROP VIEW pg_temp.vigie_probe_payload, pg_temp.vigie_probe_rooms, pg_temp.vigie_probe_condition,
              pg_temp.vigie_probe_lookups, pg_temp.vigie_probe_query;
    RETURN r;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check(vigie.rule) IS
    'Completes a declared rule with its fields, the columns it publishes and reads, its functions; refuses what it may not do';
REVOKE ALL ON FUNCTION vigie.rule_check(vigie.rule) FROM PUBLIC;
