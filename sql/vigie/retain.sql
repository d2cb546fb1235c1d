-- Retention, once a minute. Both rings turn by truncating the slot that will be written next:
-- never the one that is being written, never rows that are not yet sequenced, and never with a
-- writer waiting behind: the lock on a slot of the outbox is taken at once or not at all.
-- Returns `ok`, `busy` (another session is at it, or the log is still moving in), `standby`, or what has to wait for the next turn.
CREATE OR REPLACE FUNCTION vigie.retain() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET lock_timeout = '200ms'
AS $$
DECLARE
    kept_ticks CONSTANT bigint := 1000;
    outbox_slots CONSTANT int := 4;
    feed_slots CONSTANT int := 8;
    outbox_slot_bytes CONSTANT bigint := 33554432;
    loss_rows CONSTANT bigint := 100000;
    tick vigie.tick;
    gate vigie.gate;
    ring vigie.ring;
    keep interval := make_interval(hours => vigie.setting('retention_hours')::int);
    quota CONSTANT bigint := vigie.setting('outbox_quota_rows')::bigint;
    used_id bigint;
    next int;
    top_seq bigint;
    unsequenced boolean;
    waits text[] := ARRAY[]::text[];
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN 'standby';
    END IF;
    IF NOT vigie.rebase() THEN
        RETURN 'busy';
    END IF;
    PERFORM FROM vigie.sequencer FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 'busy';
    END IF;

    -- Also when nothing is new: the next looks need not pass over rolled-back rows again.
    PERFORM vigie.advance(true);
    SELECT * INTO STRICT tick FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1;
    DELETE FROM vigie.tick t WHERE t.tick_id <= tick.tick_id - kept_ticks;
    SELECT * INTO STRICT gate FROM vigie.gate g WHERE g.one;
    SELECT * INTO STRICT ring FROM vigie.ring r WHERE r.one;

    -- The outbox: sequenced rows are of no use any more.
    next := (gate.outbox_slot + 1) % outbox_slots;
    IF pg_relation_size(format('vigie.outbox_%s', gate.outbox_slot)::regclass) > outbox_slot_bytes
       OR ring.outbox_since < clock_timestamp() - keep / outbox_slots THEN
        BEGIN
            EXECUTE format('LOCK TABLE ONLY vigie.outbox_%s IN ACCESS EXCLUSIVE MODE NOWAIT', next);
            EXECUTE format('SELECT EXISTS (SELECT FROM vigie.outbox_%s WHERE xid >= $1)
                                OR EXISTS (SELECT FROM vigie.outbox_%1$s WHERE xid = ANY ($2))', next)
               INTO unsequenced
              USING pg_snapshot_xmax(tick.prev), ARRAY(SELECT pg_snapshot_xip(tick.prev));
            IF tick.done_id IS NULL AND unsequenced THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM vigie.outbox_%s WHERE xid >= $1)
                                    OR EXISTS (SELECT FROM vigie.outbox_%1$s WHERE xid = ANY ($2))',
                               next)
                   INTO unsequenced
                  USING pg_snapshot_xmax(tick.snap), ARRAY(SELECT pg_snapshot_xip(tick.snap));
            END IF;
            IF unsequenced THEN
                waits := waits || format('outbox_%s not sequenced yet', next);
            ELSE
                EXECUTE format('TRUNCATE ONLY vigie.outbox_%s', next);
                UPDATE vigie.gate SET outbox_slot = next;
                UPDATE vigie.ring SET outbox_since = clock_timestamp();
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            waits := waits || format('outbox_%s locked', next);
        END;
    END IF;

    -- The feed: a slot is written for a sixth of the retention and stays for six such times.
    next := (ring.feed_slot + 1) % feed_slots;
    IF ring.feed_since < clock_timestamp() - keep / (feed_slots - 2)
       OR pg_total_relation_size(format('vigie.feed_%s', ring.feed_slot)::regclass)
          > vigie.setting('feed_max_bytes')::bigint / feed_slots THEN
        BEGIN
            EXECUTE format('LOCK TABLE ONLY vigie.feed_%s IN ACCESS EXCLUSIVE MODE', next);
            EXECUTE format('SELECT max(seq) FROM vigie.feed_%s', next) INTO top_seq;
            EXECUTE format('TRUNCATE ONLY vigie.feed_%s', next);
            UPDATE vigie.ring SET feed_slot = next, feed_since = clock_timestamp(),
                                  floor_seq = greatest(floor_seq, coalesce(top_seq, 0));
        EXCEPTION WHEN lock_not_available THEN
            waits := waits || format('feed_%s locked', next);
        END;
    END IF;

    -- The quota counts from the first id that waits. In the middle of a window that is not known, and
    -- done_id may be among ids of long ago: then the limit can only be too low.
    SELECT s.last_value INTO used_id FROM vigie.outbox_id s;
    IF tick.done_id IS NOT NULL THEN
        SELECT greatest(tick.done_id, s.last_value - quota) INTO used_id FROM vigie.outbox_limit s;
    END IF;
    PERFORM setval('vigie.outbox_limit', used_id + quota)
       FROM vigie.outbox_limit s WHERE s.last_value <> used_id + quota;

    -- Losses: one row an event and reason, and at most a thousand of those.
    IF (SELECT s.is_called FROM vigie.loss_id s) THEN
        WITH gone AS (
            DELETE FROM vigie.loss RETURNING *
        ), counted AS (
            SELECT g.event, g.reason, g.count, g.at FROM gone g
            UNION ALL
            SELECT '*', 'too many to note one by one', s.last_value - m.last_value,
                   clock_timestamp()
              FROM vigie.loss_id s, vigie.loss_limit m WHERE s.last_value > m.last_value
        ), folded AS (
            SELECT c.event, CASE WHEN k.event IS NULL AND crowd.full THEN 'other' ELSE c.reason END
                       AS reason, c.count, c.at
              FROM counted c
             CROSS JOIN (SELECT count(*) >= 1000 AS full FROM vigie.loss_total) AS crowd
              LEFT JOIN vigie.loss_total k ON k.event = c.event AND k.reason = c.reason
        )
        INSERT INTO vigie.loss_total AS t (event, reason, count, first_at, last_at)
        SELECT f.event, f.reason, sum(f.count), min(f.at), max(f.at)
          FROM folded f GROUP BY f.event, f.reason
            ON CONFLICT ON CONSTRAINT loss_total_pkey DO UPDATE
           SET count = t.count + excluded.count, last_at = greatest(t.last_at, excluded.last_at);
        SELECT s.last_value INTO used_id FROM vigie.loss_id s;
        -- Last of all, since setval() is not undone if anything here fails.
        PERFORM setval('vigie.loss_limit', used_id + loss_rows)
           FROM vigie.loss_limit m WHERE m.last_value <> used_id + loss_rows;
    END IF;

    RETURN coalesce(nullif(array_to_string(waits, ', '), ''), 'ok');
END $$;
REVOKE ALL ON FUNCTION vigie.retain() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.retain() TO vigie_bridge;
COMMENT ON FUNCTION vigie.retain() IS
    'Turns the rings, compacts the losses, renews the quota; called by a bridge every minute';
