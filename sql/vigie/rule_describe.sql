CREATE OR REPLACE FUNCTION vigie.rule_describe(r vigie.rule)
RETURNS TABLE(step text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
#variable_conflict use_variable
DECLARE
    op text;
BEGIN
    FOREACH op IN ARRAY r.ops LOOP
        step := 'would run'; detail := vigie.rule_body(r, op); RETURN NEXT;
        step := 'would run'; detail := vigie.rule_trigger_sql(r, op); RETURN NEXT;
    END LOOP;
    step := 'publishes'; detail := array_to_string(r.publishes, ', '); RETURN NEXT;
    step := 'reads'; detail := array_to_string(r.reads, ', '); RETURN NEXT;
    step := 'fields';
    detail := (SELECT string_agg(format('%s %s', f->>'name', f->>'type'), ', ' ORDER BY n) FROM jsonb_array_elements(r.fields) WITH ORDINALITY AS t(f, n));
    RETURN NEXT;
    step := 'sample';
    FOR detail IN SELECT row_to_json(s) FROM vigie.rule_preview(r, 3) AS s LOOP
        RETURN NEXT;
    END LOOP;
    RETURN QUERY SELECT * FROM vigie.rule_notes(r);
END
$fn$;

COMMENT ON FUNCTION vigie.rule_describe(vigie.rule) IS 'What publish() would do: generated SQL, columns published and read, types, samples of real rows';
REVOKE ALL ON FUNCTION vigie.rule_describe(vigie.rule) FROM PUBLIC;
