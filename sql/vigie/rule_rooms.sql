CREATE OR REPLACE FUNCTION vigie.rule_rooms(rooms text)
RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    templates text[] := ARRAY(SELECT btrim(room) FROM regexp_split_to_table(rooms, ',') AS room WHERE btrim(room) <> '');
    template text;
BEGIN
    IF templates = '{}' THEN
        PERFORM vigie.rule_refuse('22023', 'the rule names no room: nobody could receive it',
            'Write rooms => ''company:{company_id}''.');
    ELSIF cardinality(templates) > 16 THEN
        PERFORM vigie.rule_refuse('54000', format('the rule names %s rooms, at most 16 are sent', cardinality(templates)),
            'Let the bridge''s configuration add rooms, or split the event.');
    END IF;
    FOREACH template IN ARRAY templates LOOP
        PERFORM vigie.rule_room_expression(template);
    END LOOP;
    RETURN templates;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_rooms(text) IS 'The room templates of a rule, checked one by one';
REVOKE ALL ON FUNCTION vigie.rule_rooms(text) FROM PUBLIC;
