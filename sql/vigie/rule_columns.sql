CREATE OR REPLACE FUNCTION vigie.rule_columns(views regclass[])
RETURNS TABLE(relation regclass, column_name text, path text, type text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT DISTINCT a.attrelid::regclass, a.attname::text, format('%s.%s.%s', n.nspname, c.relname, a.attname),
           format_type(a.atttypid, a.atttypmod)
      FROM pg_rewrite w
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE w.ev_class = ANY (views) AND d.refobjsubid > 0 AND d.refobjid <> w.ev_class
$fn$;

COMMENT ON FUNCTION vigie.rule_columns(regclass[]) IS 'Every column that probe views read, inside expressions too, as PostgreSQL recorded it';
REVOKE ALL ON FUNCTION vigie.rule_columns(regclass[]) FROM PUBLIC;
