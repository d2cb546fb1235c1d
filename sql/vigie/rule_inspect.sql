CREATE OR REPLACE FUNCTION vigie.rule_inspect(event text, part text, view regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    tree text := vigie.rule_tree(view);
    what text := coalesce(vigie.rule_forbidden_node(tree), 'a whole ' || vigie.rule_composite_column(tree));
    refused text;
BEGIN
    IF what IS NOT NULL THEN
        PERFORM vigie.rule_refuse('42501', format('rule %s: %s uses %s', event, part, what),
            'Name single columns of new, old, rec and the lookups; for more, write a function and register it with vigie.allow_function().');
    END IF;
    SELECT string_agg(format('%s %s', vigie.rule_signature(f), vigie.rule_function_refused(f)), ', ' ORDER BY f) INTO refused
      FROM vigie.rule_functions(tree) AS f WHERE vigie.rule_function_refused(f) IS NOT NULL;
    IF refused IS NOT NULL THEN
        PERFORM vigie.rule_refuse('42501', format('rule %s: %s calls a function that is not allowed: %s', event, part, refused),
            'A function of yours that is STABLE or IMMUTABLE can be registered: vigie.allow_function(''schema.name(types)'', ''reason'').');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_inspect(text, text, regclass) IS 'Refuses a part of a rule that takes whole rows, sub-selects or functions that are not allowed';
REVOKE ALL ON FUNCTION vigie.rule_inspect(text, text, regclass) FROM PUBLIC;
