-- The sequencer. Ids are handed out at INSERT, not at COMMIT: "id above the last one seen" would
-- lose whoever commits late, and waiting for the oldest transaction would stall behind one long
-- job. So each turn keeps its snapshot, and the next one takes what is visible now and was not then.
--
-- Positions continue from the last tick without a hole; within a turn they follow the order of
-- insertion, so no event precedes one that its writer could see. A turn takes at most
-- advance_batch events; the next turn goes on in the same window, after tick.done_id.
--
-- One sequencer at a time: the row lock of vigie.sequencer, and if that failed, the consecutive
-- tick_id. READ COMMITTED only: the tick must be read with a snapshot younger than the lock.
--
-- Returns the number of events sequenced; 0 too when another session is at it.
-- `keep_tick` writes a tick although nothing is new, so that the next look starts from here.
CREATE OR REPLACE FUNCTION vigie.advance(keep_tick boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    tick vigie.tick;
    lo pg_snapshot;
    hi pg_snapshot;
    batch bigint;
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
    IF tick.done_id IS NULL THEN
        lo := tick.snap;
        hi := vigie.snapshot_now();
    ELSE
        lo := tick.prev;
        hi := tick.snap;
    END IF;
    batch := vigie.setting('advance_batch')::bigint;

    -- This statement's own snapshot is younger than `hi`: it sees all that `hi` sees, and the
    -- ranges keep out what it sees besides.
    WITH due AS (
        SELECT o.*
          FROM vigie.span(lo, hi) AS s
         CROSS JOIN LATERAL (
               SELECT * FROM vigie.outbox b
                WHERE b.xid >= s.first AND b.xid <= s.last
                  AND b.id > coalesce(tick.done_id, 0)) AS o
         ORDER BY o.id
         LIMIT batch
    ), fed AS (
        INSERT INTO vigie.feed (slot, seq, outbox_id, at, company, channel, event, rooms, payload)
        SELECT r.feed_slot, tick.last_seq + row_number() OVER (ORDER BY d.id),
               d.id, d.at, d.company, d.channel, d.event, d.rooms, d.payload
          FROM due d, vigie.ring r
         WHERE r.one
        RETURNING outbox_id
    )
    SELECT count(*), max(f.outbox_id) INTO n, last_id FROM fed f;

    IF n = 0 AND tick.done_id IS NULL AND NOT keep_tick THEN
        RETURN 0;
    END IF;
    INSERT INTO vigie.tick (tick_id, prev, snap, done_id, last_seq, origin)
    VALUES (tick.tick_id + 1, lo, hi, CASE WHEN n = batch THEN last_id END,
            tick.last_seq + n, tick.origin);

    IF n > 0 THEN
        -- The quota moves on with what is sequenced; vigie.retain() alone would be too slow under
        -- load. Whoever changes a setting just now holds the row: then the next turn does it.
        quota := vigie.setting('outbox_quota_rows')::bigint;
        PERFORM FROM vigie.gate g WHERE g.one AND g.outbox_limit < last_id + quota / 2
            FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            UPDATE vigie.gate g SET outbox_limit = last_id + quota WHERE g.one;
        END IF;
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
REVOKE ALL ON FUNCTION vigie.advance(boolean) FROM PUBLIC;
COMMENT ON FUNCTION vigie.advance(boolean) IS
    'Gives the events that have become visible their positions in vigie.feed; returns how many';
