CREATE OR REPLACE FUNCTION vigie.rule_forbidden_node(tree text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT what
      FROM (VALUES
        ('\{VAR :varno \d+ :varattno 0 |\{ROWEXPR|\{CONVERTROWTYPEEXPR', 'a whole row'),
        ('\{VAR :varno \d+ :varattno -', 'a system column'),
        ('\{SUBLINK', 'a sub-select'),
        ('\{AGGREF|\{WINDOWFUNC|\{GROUPINGFUNC', 'an aggregate or window function'),
        (':funcretset true', 'a function that returns a set'),
        ('\{XMLEXPR|\{JSONEXPR', 'an XML or SQL/JSON query expression'),
        ('\{SQLVALUEFUNCTION :op (9|1\d) ', 'the current user, catalog or schema'),
        ('\{COERCETODOMAIN ', 'a cast to a domain'),
        ('\{ROWCOMPAREEXPR', 'a comparison of rows')) AS forbidden(pattern, what)
     WHERE tree ~ pattern
     LIMIT 1
$fn$;

COMMENT ON FUNCTION vigie.rule_forbidden_node(text) IS 'What a rule may not contain, in words; NULL when the tree holds nothing of it';
REVOKE ALL ON FUNCTION vigie.rule_forbidden_node(text) FROM PUBLIC;
