-- Cheap: counting stops at 100,000 waiting events, which reads "that or more".
CREATE OR REPLACE FUNCTION vigie.status()
RETURNS TABLE (outbox_pending bigint, oldest_pending_seconds float8, feed_rows bigint,
               lost_events bigint, notify_queue_usage float8, rules_bad int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
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
               + (SELECT greatest(s.last_value - l.last_value, 0)
                    FROM vigie.loss_id s, vigie.loss_limit l),
           pg_notification_queue_usage(),
           vigie.rules_bad()
      FROM (SELECT count(*) AS pending, min(p.at) AS oldest
              FROM (SELECT o.at
                      FROM (SELECT b.at FROM vigie.outbox b
                             WHERE tick.done_id IS NOT NULL AND b.id > tick.done_id
                               AND pg_visible_in_snapshot(b.xid, tick.snap)
                               AND NOT pg_visible_in_snapshot(b.xid, tick.prev)
                             ORDER BY b.id) AS o
                    UNION ALL
                    SELECT b.at
                      FROM vigie.span(tick.snap, now_visible) AS s
                     CROSS JOIN LATERAL (
                           SELECT b.at FROM vigie.outbox b
                            WHERE b.xid >= s.first AND b.xid <= s.last
                            ORDER BY b.xid) AS b
                     LIMIT 100000) AS p) AS w;
END $$;
REVOKE ALL ON FUNCTION vigie.status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.status() TO vigie_bridge;
COMMENT ON FUNCTION vigie.status() IS 'Figures for metrics and readiness';
