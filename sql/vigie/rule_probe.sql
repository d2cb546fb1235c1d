-- Lets PostgreSQL itself parse a part of a rule, as a temporary view: types, columns and functions are then in its
-- catalogue. Parsed under the search_path of the generated functions, so that nothing can resolve differently later.
CREATE OR REPLACE FUNCTION vigie.rule_probe(event text, part text, query text)
RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $fn$
DECLARE
    view_name text := 'vigie_probe_' || part;
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE format('DROP VIEW IF EXISTS pg_temp.%I', view_name);
    BEGIN
        EXECUTE format('CREATE TEMP VIEW %I AS %s', view_name, query);
    EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR wrong_object_type OR invalid_schema_name OR feature_not_supported THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        PERFORM vigie.rule_refuse(state, format('rule %s: %s is not valid: %s', event, part, message),
            coalesce(nullif(hint, ''), 'Names: new, old, rec and the aliases of the lookups; quote camelCase columns; qualify everything outside pg_catalog.'),
            detail);
    END;
    RETURN format('pg_temp.%I', view_name)::regclass;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_probe(text, text, text) IS 'Parses a part of a rule as a temporary view, or refuses it in PostgreSQL''s own words';
REVOKE ALL ON FUNCTION vigie.rule_probe(text, text, text) FROM PUBLIC;
