CREATE OR REPLACE FUNCTION vigie.bell_is_mine() RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM pg_locks l
         WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory' AND l.granted
           AND l.classid = 1449748329 AND l.objid = 1 AND l.objsubid = 2
           AND l.mode = 'ExclusiveLock'
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
$$;
REVOKE ALL ON FUNCTION vigie.bell_is_mine() FROM PUBLIC;
COMMENT ON FUNCTION vigie.bell_is_mine() IS 'Whether this session holds the lock of the bell';
