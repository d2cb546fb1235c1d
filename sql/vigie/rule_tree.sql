-- The parsed query of a view. Node names are stable from PostgreSQL 13 to 18; nothing a DBA writes can forge one,
-- because braces in names are escaped and constants are stored as bytes.
CREATE OR REPLACE FUNCTION vigie.rule_tree(view regclass)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT ev_action::text FROM pg_rewrite WHERE ev_class = view
$fn$;

COMMENT ON FUNCTION vigie.rule_tree(regclass) IS 'Parse tree of a probe view';
REVOKE ALL ON FUNCTION vigie.rule_tree(regclass) FROM PUBLIC;
