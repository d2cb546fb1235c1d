-- The log goes on in another cluster, in another database or on another timeline (vigie.origin()
-- differs from that of the last tick).
--
-- Another timeline only: a standby was promoted, a backup recovered. Transaction ids and snapshots go
-- on as they were, and so does the log.
--
-- Otherwise transaction ids in outbox and tick are those of somewhere else. The outbox is emptied in
-- the order of ids, and what of it is not yet in the feed is sequenced. A call takes about a second at
-- most, or a quarter of statement_timeout, and what it has done stays done: its tick carries no origin
-- but this intention, and its done_id says how far it came. Writers go on meanwhile: what commits
-- before a step passes by is taken along, once, since it is deleted. The statement that leaves nothing
-- gives its snapshot to the tick from which vigie.advance() goes on: what was not visible there is
-- still in the outbox, whatever its id.
--
-- True: the log stands here. False: call again; another session may be at it, too.
CREATE OR REPLACE FUNCTION vigie.rebase() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
SET lock_timeout = '1s'
AS $$
DECLARE
    step CONSTANT int := 1000;
    here CONSTANT text := vigie.origin();
    underway CONSTANT text := 'underway to ' || here;
    began CONSTANT timestamptz := clock_timestamp();
    patience int;
    tick vigie.tick;
    snap pg_snapshot;
    done bigint := 0;
    gone bigint;
    n bigint;
    last_id bigint;
BEGIN
    IF (SELECT t.origin = here FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1) THEN
        RETURN true;
    END IF;
    SELECT least(1000, nullif(s.setting::int, 0) / 4) INTO patience
      FROM pg_settings s WHERE s.name = 'statement_timeout';
    PERFORM set_config('lock_timeout', greatest(patience, 10)::text, true);
    BEGIN
        PERFORM FROM vigie.sequencer FOR UPDATE;
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    SELECT * INTO STRICT tick FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1;
    IF tick.origin = here THEN
        RETURN true;
    END IF;

    IF regexp_replace(tick.origin, '-[^-]*-', '-') = regexp_replace(here, '-[^-]*-', '-') THEN
        INSERT INTO vigie.tick (tick_id, prev, snap, done_id, last_seq, origin)
        VALUES (tick.tick_id + 1, tick.prev, tick.snap, tick.done_id, tick.last_seq, here);
        RETURN true;
    END IF;

    IF tick.origin = underway THEN
        done := tick.done_id;
    END IF;
    LOOP
        WITH picked AS MATERIALIZED (
            SELECT b.slot, b.id FROM vigie.outbox b WHERE b.id > done ORDER BY b.id LIMIT step
        ), gone AS (
            DELETE FROM vigie.outbox b USING picked p WHERE b.slot = p.slot AND b.id = p.id
            RETURNING b.*
        ), fed AS (
            INSERT INTO vigie.feed (slot, seq, outbox_id, at, company, channel, event, rooms, payload)
            SELECT r.feed_slot, tick.last_seq + row_number() OVER (ORDER BY g.id),
                   g.id, g.at, g.company, g.channel, g.event, g.rooms, g.payload
              FROM gone g, vigie.ring r
             WHERE r.one AND NOT EXISTS (SELECT FROM vigie.feed f WHERE f.outbox_id = g.id)
            RETURNING outbox_id
        )
        SELECT g.n, g.last_id, f.n, pg_current_snapshot() INTO gone, last_id, n, snap
          FROM (SELECT count(*) AS n, max(gone.id) AS last_id FROM gone) AS g,
               (SELECT count(*) AS n FROM fed) AS f;
        tick.last_seq := tick.last_seq + n;
        EXIT WHEN gone < step AND done = 0;
        -- At the end once more from the beginning, for whoever has committed late.
        done := CASE WHEN gone < step THEN 0 ELSE last_id END;
        IF clock_timestamp() - began > patience * interval '1 ms' THEN
            INSERT INTO vigie.tick (tick_id, prev, snap, done_id, last_seq, origin)
            VALUES (tick.tick_id + 1, tick.prev, tick.snap, done, tick.last_seq, underway);
            RETURN false;
        END IF;
    END LOOP;

    INSERT INTO vigie.tick (tick_id, prev, snap, last_seq, origin)
    VALUES (tick.tick_id + 1, snap, snap, tick.last_seq, here);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION vigie.rebase() FROM PUBLIC;
COMMENT ON FUNCTION vigie.rebase() IS
    'Starts sequencing anew when the database has been restored or promoted elsewhere; true when done, else call again';
