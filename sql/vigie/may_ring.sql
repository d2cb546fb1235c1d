-- Whether a bell is sure not to fail the commit of this transaction. `auto` does not ring where
-- transactions can be prepared at all: whether this one will be, nobody knows beforehand. A NOTIFY
-- queues for a lock at commit, behind notifiers that may be waiting for a standby: a lock_timeout of
-- the business would fail the commit there. The generated triggers leave it in vigie.lock_timeout.
CREATE OR REPLACE FUNCTION vigie.may_ring(bell text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (bell = 'on' OR bell = 'auto' AND current_setting('max_prepared_transactions') = '0')
       AND coalesce(nullif(current_setting('vigie.lock_timeout', true), ''), '0') = '0'
       AND pg_notification_queue_usage() < 0.5
$$;
REVOKE ALL ON FUNCTION vigie.may_ring(text) FROM PUBLIC;
COMMENT ON FUNCTION vigie.may_ring(text) IS 'Whether a NOTIFY cannot fail the commit of this transaction';
