-- Operators that only order or hash values of one type: btree and hash search operators of
-- PostgreSQL's own. Others of an operator class compute (the distance of two points overflows).
CREATE OR REPLACE FUNCTION vigie.rule_compares(function oid)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT EXISTS (SELECT FROM pg_operator o
                     JOIN pg_amop a ON a.amopopr = o.oid AND a.amoppurpose = 's'
                     JOIN pg_am m ON m.oid = a.amopmethod AND m.amname IN ('btree', 'hash')
                    WHERE o.oprcode = function AND o.oprnamespace = 'pg_catalog'::regnamespace)
$fn$;

COMMENT ON FUNCTION vigie.rule_compares(oid) IS 'Whether a function is a plain comparison of pg_catalog''s own, which cannot fail';
REVOKE ALL ON FUNCTION vigie.rule_compares(oid) FROM PUBLIC;
