-- What the DBA wrote, checked as far as it can be without reading a table: names, choices, hygiene of the fragments.
CREATE OR REPLACE FUNCTION vigie.rule_declare(
    event text, source regclass, ops text, payload text, rooms text, company text, condition text, changes text,
    lookups vigie.lookup[], mode text, guard text, on_error text, comment text)
RETURNS vigie.rule
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
#variable_conflict use_variable
DECLARE
    r vigie.rule;
    joined vigie.lookup[] := coalesce(lookups, '{}');
BEGIN
    PERFORM vigie.rule_check_event(event);
    PERFORM vigie.rule_check_aliases(joined);
    r.event := event;
    r.source := vigie.rule_source(source);
    r.channel := vigie.rule_channel(source);
    r.ops := vigie.rule_ops(ops);
    r.payload := vigie.rule_payload(payload);
    r.rooms := vigie.rule_rooms(rooms);
    r.condition := vigie.rule_expression('condition', condition);
    r.changes := vigie.rule_changes(source, r.ops, changes);
    r.company := vigie.rule_company(source, company, ARRAY(SELECT l.alias FROM unnest(joined) AS l));
    r.lookups := vigie.rule_lookups(source, joined, r.company);
    r.guard := vigie.rule_choice('guard', guard, ARRAY['body', 'when']);
    r.on_error := vigie.rule_choice('on_error', on_error, ARRAY['warn', 'raise']);
    r.mode := vigie.rule_choice('mode', mode, ARRAY['auto', 'row', 'statement']);
    r.comment := nullif(btrim(comment), '');
    PERFORM vigie.rule_check_mode(source, r.mode, r.guard, r.ops);
    RETURN r;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_declare(text, regclass, text, text, text, text, text, text, vigie.lookup[], text, text, text, text) IS
    'A rule as declared, its parts checked one by one';
REVOKE ALL ON FUNCTION vigie.rule_declare(text, regclass, text, text, text, text, text, text, vigie.lookup[], text, text, text, text) FROM PUBLIC;
