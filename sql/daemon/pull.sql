-- The next events of the feed; gives new ones their positions first.
-- psql -v after=0 -v max_rows=500 -f pull.sql
SELECT seq, company, channel, event, array_to_string(rooms, E'\n') AS rooms, payload, at
  FROM vigie.pull(:'after'::bigint, :'max_rows'::int);
