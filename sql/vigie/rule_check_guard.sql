-- A WHEN clause is evaluated outside our exception block: only what cannot fail may stand there.
CREATE OR REPLACE FUNCTION vigie.rule_check_guard(r vigie.rule, view regclass)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    tree text := vigie.rule_tree(view);
    what text;
BEGIN
    what := CASE
        WHEN vigie.rule_condition(r) IS NULL THEN 'there is no condition'
        WHEN vigie.rule_alias_columns(tree, 'rec', r.source::regclass) <> '{}' THEN 'it reads rec'
        WHEN vigie.rule_reads_lookup(r, tree) THEN 'it reads a lookup'
        WHEN 'insert' = ANY (r.ops) AND vigie.rule_alias_columns(tree, 'old', r.source::regclass) <> '{}' THEN 'it reads old on insert'
        WHEN 'delete' = ANY (r.ops) AND vigie.rule_alias_columns(tree, 'new', r.source::regclass) <> '{}' THEN 'it reads new on delete'
        WHEN tree ~ '\{COERCEVIAIO' THEN 'it casts through text'
        WHEN EXISTS (SELECT FROM vigie.rule_functions(tree) AS f JOIN pg_proc p ON p.oid = f
                      WHERE NOT p.proleakproof
                        AND NOT EXISTS (SELECT FROM pg_operator o JOIN pg_amop a ON a.amopopr = o.oid
                                         WHERE o.oprcode = p.oid AND p.pronamespace = 'pg_catalog'::regnamespace))
        THEN 'it calls a function that can fail' END;
    IF what IS NOT NULL THEN
        PERFORM vigie.rule_refuse('0A000', format('rule %s: guard when is not possible: %s', r.event, what),
            'Only new and old, compared with constants: new.status = ''signed''. Otherwise leave guard => ''body''.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_guard(vigie.rule, regclass) IS 'Refuses a WHEN clause that PostgreSQL could not evaluate or that could fail the business write';
REVOKE ALL ON FUNCTION vigie.rule_check_guard(vigie.rule, regclass) FROM PUBLIC;
