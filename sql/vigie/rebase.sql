-- The log goes on in another cluster or on another timeline (vigie.origin() differs): transaction
-- ids in outbox and tick are those of somewhere else. What is in the outbox and not yet in the feed
-- is sequenced by its id, the outbox is emptied, and a new tick starts from this snapshot.
-- Returns whether there was something to do.
CREATE OR REPLACE FUNCTION vigie.rebase() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    tick vigie.tick;
    here text := vigie.origin();
    snap pg_snapshot;
    n bigint;
BEGIN
    IF (SELECT t.origin = here FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1) THEN
        RETURN false;
    END IF;
    PERFORM FROM vigie.sequencer FOR UPDATE;
    SELECT * INTO STRICT tick FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1;
    IF tick.origin = here THEN
        RETURN false;
    END IF;

    -- One statement, one snapshot: what it deletes is what it sequences and what the tick covers.
    WITH waiting AS (
        DELETE FROM vigie.outbox RETURNING *
    ), fed AS (
        INSERT INTO vigie.feed (slot, seq, outbox_id, at, company, channel, event, rooms, payload)
        SELECT r.feed_slot, tick.last_seq + row_number() OVER (ORDER BY w.id),
               w.id, w.at, w.company, w.channel, w.event, w.rooms, w.payload
          FROM waiting w, vigie.ring r
         WHERE r.one AND NOT EXISTS (SELECT FROM vigie.feed f WHERE f.outbox_id = w.id)
        RETURNING outbox_id
    )
    SELECT count(f.outbox_id), pg_current_snapshot() INTO n, snap FROM fed f;

    INSERT INTO vigie.tick (tick_id, prev, snap, last_seq, origin)
    VALUES (tick.tick_id + 1, snap, snap, tick.last_seq + n, here);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION vigie.rebase() FROM PUBLIC;
COMMENT ON FUNCTION vigie.rebase() IS
    'Starts sequencing anew when the database has been restored or promoted elsewhere';
