-- What the schema is, and where its feed stands.
-- psql -f hello.sql
SELECT schema_version,
       epoch,
       encode(cursor_key, 'hex') AS cursor_key,
       last_seq,
       floor_seq,
       in_recovery,
       server_version_num
  FROM vigie.hello();
