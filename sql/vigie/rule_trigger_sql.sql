CREATE OR REPLACE FUNCTION vigie.rule_trigger_sql(r vigie.rule, op text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format('CREATE TRIGGER %I AFTER %s ON %s%s FOR EACH %s%s EXECUTE FUNCTION vigie_gen.%I(%s)',
               vigie.rule_trigger_name(r.event, op), upper(op), r.source,
               CASE WHEN mode = 'row' THEN '' WHEN op = 'insert' THEN ' REFERENCING NEW TABLE AS vigie_new'
                    ELSE ' REFERENCING OLD TABLE AS vigie_old' END,
               upper(mode),
               CASE WHEN r.guard = 'when' THEN format(' WHEN (%s)', vigie.rule_condition(r)) ELSE '' END,
               vigie.rule_object_name(r.event, op), quote_literal(vigie.rule_trigger_argument(r)))
      FROM vigie.rule_mode(r, op) AS mode
$fn$;

COMMENT ON FUNCTION vigie.rule_trigger_sql(vigie.rule, text) IS 'CREATE TRIGGER of a rule for an operation';
REVOKE ALL ON FUNCTION vigie.rule_trigger_sql(vigie.rule, text) FROM PUBLIC;
