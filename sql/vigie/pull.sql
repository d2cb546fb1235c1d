-- What the bridge calls, every few milliseconds while awake. When nothing is new: one index probe
-- for the last tick, one for each range of transactions that ended since. It sequences only when
-- the feed holds less than it was asked for, and then a few times as much: who asks for little, since
-- a timeout struck, makes the turn of the sequencer small as well.
--
-- Rows leave the server before the transaction that sequenced them commits. A caller must hand
-- nothing out before the command has ended (libpq: PQgetResult() has returned NULL).
-- Positions have no holes: a first row above after + 1 means that retention has passed by.
CREATE OR REPLACE FUNCTION vigie.pull(after bigint, max_rows int)
RETURNS TABLE (seq bigint, company text, channel text, event text, rooms text[], payload text,
               at text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    turn_rows CONSTANT int := 40; -- the usual 500 rows ask for a whole advance_batch
    tick vigie.tick;
    now_visible pg_snapshot;
    last_seq bigint;
BEGIN
    SELECT * INTO STRICT tick FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1;
    last_seq := tick.last_seq;
    IF last_seq < after + max_rows AND NOT pg_is_in_recovery() THEN
        now_visible := pg_current_snapshot();
        IF tick.done_id IS NOT NULL
           OR EXISTS (SELECT FROM vigie.span(tick.snap, now_visible) AS s
                       CROSS JOIN LATERAL (
                             SELECT FROM vigie.outbox o
                              WHERE o.xid >= s.first AND o.xid <= s.last
                              LIMIT 1) AS found)
        THEN
            last_seq := last_seq + vigie.advance(false, max_rows::bigint * turn_rows);
        END IF;
    END IF;
    IF last_seq <= after THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT f.seq, f.company, f.channel, f.event, f.rooms, f.payload::text,
           to_char(f.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
      FROM vigie.feed f
     WHERE f.seq > after
     ORDER BY f.seq
     LIMIT max_rows;
END $$;
REVOKE ALL ON FUNCTION vigie.pull(bigint, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.pull(bigint, int) TO vigie_bridge;
COMMENT ON FUNCTION vigie.pull(bigint, int) IS
    'Sequences what is new, then returns the feed after a position, in order';
