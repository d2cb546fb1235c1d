-- The sequencer. Ids are handed out at INSERT, not at COMMIT: "id above the last one seen" would
-- lose whoever commits late, and waiting for the oldest transaction would stall behind one long
-- job. So each turn keeps its snapshot, and the next one takes what is visible now and was not then.
--
-- Positions continue from the last tick without a hole; within a window they follow the order of
-- insertion, so no event precedes one that its writer could see.
--
-- A turn costs what it sequences, however much waits. A window that holds no more than a batch is
-- taken whole, by transaction. A larger one is walked in the order of ids, past those that are not in
-- it: each turn walks a piece and leaves in tick.done_id how far it came. `at_most` makes the batch
-- smaller than advance_batch, for who ran into a timeout.
--
-- One sequencer at a time: the row lock of vigie.sequencer, and if that failed, the consecutive
-- tick_id. READ COMMITTED only: the tick must be read with a snapshot younger than the lock.
--
-- Returns the number of events sequenced; 0 too when another session is at it, and after a long walk
-- past old ids: tick.done_id then says that there is more.
-- `keep_tick` writes a tick although nothing is new, so that the next look starts from here.
CREATE OR REPLACE FUNCTION vigie.advance(keep_tick boolean DEFAULT false, at_most bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    walk_least CONSTANT bigint := 100000;
    walk_long CONSTANT interval := interval '0.5 s';
    began CONSTANT timestamptz := clock_timestamp();
    tick vigie.tick;
    lo pg_snapshot;
    hi pg_snapshot;
    batch bigint;
    walk bigint;
    walked bigint;
    due_rows bigint;
    done bigint;
    last_id bigint;
    n bigint;
    quota bigint;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'vigie.advance() works in READ COMMITTED only'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM FROM vigie.sequencer FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;

    SELECT * INTO STRICT tick FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1;
    batch := least(vigie.setting('advance_batch')::bigint, at_most);
    done := tick.done_id;

    -- The statements' own snapshots are younger than `hi`: they see all that `hi` sees, and the
    -- conditions keep out what they see besides.
    IF done IS NULL THEN
        lo := tick.snap;
        hi := vigie.snapshot_now();
        WITH due AS MATERIALIZED (
            SELECT o.*
              FROM vigie.span(lo, hi) AS s
             CROSS JOIN LATERAL (
                   SELECT * FROM vigie.outbox b WHERE b.xid >= s.first AND b.xid <= s.last) AS o
             LIMIT batch + 1
        ), fed AS (
            INSERT INTO vigie.feed (slot, seq, outbox_id, at, company, channel, event, rooms, payload)
            SELECT r.feed_slot, tick.last_seq + row_number() OVER (ORDER BY d.id),
                   d.id, d.at, d.company, d.channel, d.event, d.rooms, d.payload
              FROM due d, vigie.ring r
             WHERE r.one AND (SELECT count(*) FROM due) <= batch
            RETURNING outbox_id
        )
        SELECT (SELECT count(*) FROM due), count(*), max(f.outbox_id) INTO due_rows, n, last_id
          FROM fed f;
        IF due_rows > batch THEN
            done := 0;
        END IF;
    ELSE
        lo := tick.prev;
        hi := tick.snap;
    END IF;

    IF done IS NOT NULL THEN
        walk := greatest(10 * batch, walk_least);
        LOOP
            WITH fed AS (
                INSERT INTO vigie.feed (slot, seq, outbox_id, at, company, channel, event, rooms,
                                        payload)
                SELECT r.feed_slot, tick.last_seq + row_number() OVER (ORDER BY d.id),
                       d.id, d.at, d.company, d.channel, d.event, d.rooms, d.payload
                  FROM (SELECT o.*
                          FROM (SELECT * FROM vigie.outbox b WHERE b.id > done
                                 ORDER BY b.id LIMIT walk) AS o
                         WHERE pg_visible_in_snapshot(o.xid, hi)
                           AND NOT pg_visible_in_snapshot(o.xid, lo)
                         ORDER BY o.id
                         LIMIT batch) AS d, vigie.ring r
                 WHERE r.one
                RETURNING outbox_id
            )
            SELECT count(*), max(f.outbox_id) INTO n, last_id FROM fed f;
            IF n = batch THEN
                done := last_id;
                EXIT;
            END IF;
            -- How far was that? Rows that have become visible in between only make it shorter.
            SELECT count(*), max(w.id) INTO walked, done
              FROM (SELECT b.id FROM vigie.outbox b WHERE b.id > done ORDER BY b.id LIMIT walk) AS w;
            IF walked < walk THEN
                done := NULL;
            END IF;
            EXIT WHEN n > 0 OR done IS NULL OR clock_timestamp() - began > walk_long;
        END LOOP;
    END IF;

    IF n = 0 AND tick.done_id IS NULL AND done IS NULL AND NOT keep_tick THEN
        RETURN 0;
    END IF;
    INSERT INTO vigie.tick (tick_id, prev, snap, done_id, last_seq, origin)
    VALUES (tick.tick_id + 1, lo, hi, done, tick.last_seq + n, tick.origin);

    IF n > 0 THEN
        -- The quota moves on with what is sequenced; vigie.retain() alone would be too slow under
        -- load. If this turn is rolled back there is a batch more of room for a while.
        quota := vigie.setting('outbox_quota_rows')::bigint;
        PERFORM setval('vigie.outbox_limit', last_id + quota)
           FROM vigie.outbox_limit s WHERE s.last_value < last_id + quota / 2;
        -- A position that a client has seen must survive a crash.
        IF current_setting('synchronous_commit') = 'off' THEN
            PERFORM set_config('synchronous_commit', 'local', true);
        END IF;
        IF pg_notification_queue_usage() < 0.5 THEN
            NOTIFY vigie_feed;
        END IF;
    END IF;
    RETURN n;
END $$;
REVOKE ALL ON FUNCTION vigie.advance(boolean, bigint) FROM PUBLIC;
COMMENT ON FUNCTION vigie.advance(boolean, bigint) IS
    'Gives the events that have become visible their positions in vigie.feed; returns how many';
