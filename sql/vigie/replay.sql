-- One company's events after a position. One statement, so that rows, upto and floor_seq belong
-- together; VOLATILE, so that its snapshot is taken after the locks on the slots: retain() cannot
-- empty a slot in between and leave a hole that the floor does not tell.
CREATE OR REPLACE FUNCTION vigie.replay(company text, after bigint, max_rows int)
RETURNS TABLE (seq bigint, channel text, event text, rooms text[], payload text, at text,
               upto bigint, floor_seq bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT f.seq, f.channel, f.event, f.rooms, f.payload, f.at
          FROM vigie.feed f
         WHERE f.company = replay.company AND f.seq > after
         ORDER BY f.seq
         LIMIT max_rows
    ), edge AS MATERIALIZED (
        SELECT CASE WHEN (SELECT count(*) FROM found) < max_rows
                    THEN (SELECT t.last_seq FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1)
                    ELSE (SELECT coalesce(max(found.seq), after) FROM found) END AS upto,
               r.floor_seq
          FROM vigie.ring r
         WHERE r.one
    )
    SELECT found.seq, found.channel, found.event, found.rooms, found.payload::text,
           to_char(found.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           edge.upto, edge.floor_seq
      FROM edge LEFT JOIN found ON true
     ORDER BY found.seq;
END $$;
REVOKE ALL ON FUNCTION vigie.replay(text, bigint, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.replay(text, bigint, int) TO vigie_bridge;
COMMENT ON FUNCTION vigie.replay(text, bigint, int) IS
    'Events of one company after a position; always at least one row, of NULLs when there is none';
