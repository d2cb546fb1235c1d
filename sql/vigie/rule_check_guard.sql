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
                      WHERE NOT (p.proleakproof OR vigie.rule_compares(p.oid))
                         OR EXISTS (SELECT FROM unnest(p.proargtypes) AS a(type) JOIN pg_type t ON t.oid = a.type
                                     WHERE t.typtype = 'p' AND t.typname <> 'anyenum'))
        THEN 'it calls a function that can fail'
        WHEN EXISTS (SELECT FROM regexp_matches(tree, ':opno (\d+) [^{(]*:inputcollid 0 ', 'g') AS m
                       JOIN pg_operator o ON o.oid = m[1]::oid
                       JOIN pg_type t ON t.oid IN (o.oprleft, o.oprright) AND t.typcollation <> 0)
        THEN 'it compares texts of different collations' END;
    IF what IS NOT NULL THEN
        PERFORM vigie.rule_refuse('0A000', format('rule %s: guard when is not possible: %s', r.event, what),
            'Only new and old, compared with constants: new.status = ''signed''. Otherwise leave guard => ''body''.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_guard(vigie.rule, regclass) IS 'Refuses a WHEN clause that PostgreSQL could not evaluate or that could fail the business write';
REVOKE ALL ON FUNCTION vigie.rule_check_guard(vigie.rule, regclass) FROM PUBLIC;
