-- Whether somebody may enter a room.
-- psql -v claims='{"company":"42","user":"u7","role":"admin"}' -v room=conversation:9 -f may_join.sql
SELECT vigie.may_join(:'claims'::jsonb, :'room'::text);
