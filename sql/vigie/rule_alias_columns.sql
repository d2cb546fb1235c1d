-- By alias, which pg_depend cannot tell when a table is looked up by a rule on itself. The n-th :eref of the tree is
-- the n-th table, and the varno of its columns is n.
CREATE OR REPLACE FUNCTION vigie.rule_alias_columns(tree text, alias text, relation regclass)
RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT ARRAY(
        SELECT DISTINCT a.attname::text
          FROM regexp_matches(tree, ':eref \{ALIAS :aliasname (\S+)', 'g') WITH ORDINALITY AS t(name, n)
         CROSS JOIN LATERAL regexp_matches(tree, '\{VAR :varno ' || t.n || ' :varattno (\d+) ', 'g') AS v
          JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = v[1]::int
         WHERE t.name[1] = alias
           -- before PostgreSQL 16 a view's own "old" and "new" come first: the last table of a name is ours
           AND t.n = (SELECT max(u.n) FROM regexp_matches(tree, ':eref \{ALIAS :aliasname (\S+)', 'g') WITH ORDINALITY AS u(name, n)
                       WHERE u.name[1] = alias)
         ORDER BY 1)
$fn$;

COMMENT ON FUNCTION vigie.rule_alias_columns(text, text, regclass) IS 'Columns that a parse tree reads through one alias';
REVOKE ALL ON FUNCTION vigie.rule_alias_columns(text, text, regclass) FROM PUBLIC;
