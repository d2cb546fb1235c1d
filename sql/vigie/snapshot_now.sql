-- pg_current_snapshot() shows a transaction its own id as ended. Here it counts as running:
-- sequencing one's own rows would pass over those that one has yet to write.
CREATE OR REPLACE FUNCTION vigie.snapshot_now() RETURNS pg_snapshot
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    snap pg_snapshot := pg_current_snapshot();
    own xid8 := pg_current_xact_id_if_assigned();
BEGIN
    IF own IS NULL OR NOT pg_visible_in_snapshot(own, snap) THEN
        RETURN snap;
    END IF;
    RETURN format('%s:%s:%s',
        least(own::text::bigint, pg_snapshot_xmin(snap)::text::bigint),
        pg_snapshot_xmax(snap),
        (SELECT string_agg(r.x, ',' ORDER BY r.x::bigint)
           FROM (SELECT x::text FROM pg_snapshot_xip(snap) AS x
                 UNION ALL SELECT own::text) AS r (x)))::pg_snapshot;
END $$;
REVOKE ALL ON FUNCTION vigie.snapshot_now() FROM PUBLIC;
COMMENT ON FUNCTION vigie.snapshot_now() IS
    'The current snapshot, in which the calling transaction itself counts as running';
