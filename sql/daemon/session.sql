-- Who serves this connection: asked before and after LISTEN, so that a pooler shows itself.
-- psql -f session.sql
SELECT pg_backend_pid() AS pid,
       pg_is_in_recovery() AS standby,
       (SELECT count(*) FROM pg_listening_channels()) AS channels;
