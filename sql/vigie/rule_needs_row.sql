-- Statement triggers of a partitioned or inherited table do not see rows written straight into a child.
CREATE OR REPLACE FUNCTION vigie.rule_needs_row(source regclass)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT c.relkind = 'p' OR c.relispartition OR EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid))
      FROM pg_class c
     WHERE c.oid = source
$fn$;

COMMENT ON FUNCTION vigie.rule_needs_row(regclass) IS 'Whether only row triggers see everything that is written to a table';
REVOKE ALL ON FUNCTION vigie.rule_needs_row(regclass) FROM PUBLIC;
