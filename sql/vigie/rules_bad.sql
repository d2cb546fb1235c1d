-- The change `rules` replaces this by one that looks at the rules.
CREATE OR REPLACE FUNCTION vigie.rules_bad() RETURNS int
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 0
$$;
REVOKE ALL ON FUNCTION vigie.rules_bad() FROM PUBLIC;
COMMENT ON FUNCTION vigie.rules_bad() IS 'Number of rules that do not work as declared';
