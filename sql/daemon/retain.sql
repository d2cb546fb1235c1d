-- A turn of retention.
-- psql -f retain.sql
SELECT vigie.retain();
