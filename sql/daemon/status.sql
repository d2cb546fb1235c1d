-- How the database side is: for metrics and readiness.
-- psql -f status.sql
SELECT outbox_pending,
       oldest_pending_seconds,
       feed_rows,
       lost_events,
       notify_queue_usage,
       rules_bad
  FROM vigie.status();
