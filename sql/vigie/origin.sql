-- Whose transaction ids and positions these are. It changes when the log continues elsewhere:
-- a dump restored (system or database), a backup restored or a standby promoted (timeline).
CREATE OR REPLACE FUNCTION vigie.origin() RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws('-',
        (SELECT s.system_identifier FROM pg_control_system() s),
        CASE WHEN pg_is_in_recovery()
             THEN lpad(upper(to_hex((SELECT c.timeline_id FROM pg_control_checkpoint() c))), 8, '0')
             ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
        (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
$$;
REVOKE ALL ON FUNCTION vigie.origin() FROM PUBLIC;
COMMENT ON FUNCTION vigie.origin() IS 'System identifier, timeline and database of this log';
