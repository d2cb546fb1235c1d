CREATE OR REPLACE FUNCTION vigie.rule_room_expression(template text)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    part text[];
    parts text[] := ARRAY[]::text[];
BEGIN
    IF template !~ '^[a-z][a-z0-9_-]*(:([A-Za-z0-9_-]|\{[^{}.,:]+(\.[^{}.,:]+)?\})+)+$' THEN
        PERFORM vigie.rule_refuse('42602', format('room template %L is not well formed', template),
            'Kind, colon, id: company:{company_id}, agence:{client.agenceId} or role:admin; braces hold a column of rec, or alias.column.');
    END IF;
    FOR part IN SELECT regexp_matches(template, '([^{}]+)|\{([^{}]+)\}', 'g') LOOP
        parts := parts || coalesce(quote_literal(part[1]), format('(%s)::text', vigie.rule_column_expression(part[2])));
    END LOOP;
    RETURN array_to_string(parts, ' || ');
END
$fn$;

COMMENT ON FUNCTION vigie.rule_room_expression(text) IS 'SQL of a room template; NULL at run time when a part is null';
REVOKE ALL ON FUNCTION vigie.rule_room_expression(text) FROM PUBLIC;
