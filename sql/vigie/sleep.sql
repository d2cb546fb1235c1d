-- `asleep`: triggers ring from now on. What was written before, without a bell, is visible by now:
-- its writers have given their shared locks back. So the bridge looks once more, then waits.
-- `other`: another bridge sleeps, so triggers ring, and everybody who LISTENs hears them.
-- `busy`: some writer has not rung and has not ended; stay awake.
CREATE OR REPLACE FUNCTION vigie.sleep() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF vigie.bell_is_mine() OR pg_try_advisory_lock(1449748329, 1) THEN
        RETURN 'asleep';
    END IF;
    IF pg_try_advisory_lock_shared(1449748329, 1) THEN
        PERFORM pg_advisory_unlock_shared(1449748329, 1);
        RETURN 'busy';
    END IF;
    RETURN 'other';
END $$;
REVOKE ALL ON FUNCTION vigie.sleep() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.sleep() TO vigie_bridge;
COMMENT ON FUNCTION vigie.sleep() IS
    'Asks triggers to ring: asleep, other (another bridge has asked), or busy (try again)';
