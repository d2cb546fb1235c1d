CREATE OR REPLACE FUNCTION vigie.rule_lookup_match(source regclass, alias text, target regclass)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    matches text[] := ARRAY(
        SELECT (SELECT string_agg(format('%I.%I = rec.%I', alias, there.attname, here.attname), ' AND ' ORDER BY pair.n)
                  FROM unnest(k.conkey, k.confkey) WITH ORDINALITY AS pair(here, there, n)
                  JOIN pg_attribute here ON here.attrelid = k.conrelid AND here.attnum = pair.here
                  JOIN pg_attribute there ON there.attrelid = k.confrelid AND there.attnum = pair.there)
          FROM pg_constraint k
         WHERE k.contype = 'f' AND k.conrelid = source AND k.confrelid = target);
BEGIN
    IF cardinality(matches) <> 1 THEN
        PERFORM vigie.rule_refuse('42830', format('lookup %s: %s foreign keys lead from %s to %s', alias, cardinality(matches),
                vigie.rule_relation_name(source), vigie.rule_relation_name(target)),
            format('Give the match: vigie.lookup(%L, %L, ''%I.id = rec.…'').', alias, vigie.rule_relation_name(target), alias));
    END IF;
    RETURN matches[1];
END
$fn$;

COMMENT ON FUNCTION vigie.rule_lookup_match(regclass, text, regclass) IS 'The join of a lookup by the only foreign key from the source';
REVOKE ALL ON FUNCTION vigie.rule_lookup_match(regclass, text, regclass) FROM PUBLIC;
