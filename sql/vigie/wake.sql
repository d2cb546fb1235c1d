CREATE OR REPLACE FUNCTION vigie.wake() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF vigie.bell_is_mine() THEN
        PERFORM pg_advisory_unlock(1449748329, 1);
    END IF;
END $$;
REVOKE ALL ON FUNCTION vigie.wake() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.wake() TO vigie_bridge;
COMMENT ON FUNCTION vigie.wake() IS 'Tells triggers that this bridge looks by itself';
