-- The transactions that are visible in `hi` and were not in `lo`, as ranges of their ids: what
-- ended among those that ran at `lo`, and everything since then except what runs at `hi`.
-- Ranges between the running ones rather than one range and a filter: a look must not walk over the
-- million index entries of a bulk job that is still running.
CREATE OR REPLACE FUNCTION vigie.span(lo pg_snapshot, hi pg_snapshot)
RETURNS TABLE (first xid8, last xid8)
LANGUAGE sql IMMUTABLE
AS $$
    SELECT r.first::text::xid8, r.last::text::xid8
      FROM (SELECT lag(s.stop, 1, pg_snapshot_xmax(lo)::text::bigint - 1)
                       OVER (ORDER BY s.stop) + 1 AS first,
                   s.stop - 1 AS last
              FROM (SELECT x::text::bigint FROM pg_snapshot_xip(hi) AS x
                     WHERE x >= pg_snapshot_xmax(lo)
                    UNION ALL
                    SELECT pg_snapshot_xmax(hi)::text::bigint) AS s (stop)) AS r
     WHERE r.first <= r.last
    UNION ALL
    SELECT x, x FROM pg_snapshot_xip(lo) AS x WHERE pg_visible_in_snapshot(x, hi)
$$;
REVOKE ALL ON FUNCTION vigie.span(pg_snapshot, pg_snapshot) FROM PUBLIC;
COMMENT ON FUNCTION vigie.span(pg_snapshot, pg_snapshot) IS
    'Ranges of transaction ids that are visible in the second snapshot and not in the first';
