-- One company's events after a position; always at least one row.
-- psql -v company=42 -v after=0 -v max_rows=100 -f replay.sql
SELECT seq, channel, event, array_to_string(rooms, E'\n') AS rooms, payload, at, upto, floor_seq
  FROM vigie.replay(:'company'::text, :'after'::bigint, :'max_rows'::int);
