-- Cheap: counting stops at 100,000 waiting events, which reads "that or more".
CREATE OR REPLACE FUNCTION vigie.status()
RETURNS TABLE (outbox_pending bigint, oldest_pending_seconds float8, feed_rows bigint,
               lost_events bigint, notify_queue_usage float8, rules_bad int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    tick vigie.tick;
    now_visible pg_snapshot := pg_current_snapshot();
BEGIN
    SELECT * INTO STRICT tick FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1;
    RETURN QUERY
    SELECT w.pending,
           coalesce(extract(epoch FROM clock_timestamp() - w.oldest), 0)::float8,
           tick.last_seq - (SELECT r.floor_seq FROM vigie.ring r WHERE r.one),
           (SELECT coalesce(sum(l.count), 0)::bigint FROM vigie.lost l)
               + (SELECT greatest(s.last_value - g.loss_limit, 0)
                    FROM vigie.loss_id s, vigie.gate g WHERE g.one),
           pg_notification_queue_usage(),
           vigie.rules_bad()
      FROM (SELECT count(*) AS pending, min(p.at) AS oldest
              FROM (SELECT o.at
                      FROM (SELECT s.first, s.last, coalesce(tick.done_id, 0) AS done_id
                              FROM vigie.span(tick.prev, tick.snap) AS s
                             WHERE tick.done_id IS NOT NULL
                            UNION ALL
                            SELECT s.first, s.last, 0
                              FROM vigie.span(tick.snap, now_visible) AS s) AS s
                     CROSS JOIN LATERAL (
                           SELECT b.at FROM vigie.outbox b
                            WHERE b.xid >= s.first AND b.xid <= s.last AND b.id > s.done_id
                            ORDER BY b.xid, b.id) AS o
                     LIMIT 100000) AS p) AS w;
END $$;
REVOKE ALL ON FUNCTION vigie.status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.status() TO vigie_bridge;
COMMENT ON FUNCTION vigie.status() IS 'Figures for metrics and readiness';
