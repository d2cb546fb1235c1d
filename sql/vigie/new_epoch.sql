-- For the DBA, after anything that makes old cursors meaningless. Bridges are told by the bell;
-- anybody can ring that, so the epoch itself they read in vigie.hello().
CREATE OR REPLACE FUNCTION vigie.new_epoch() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE vigie.secret SET nonce = gen_random_uuid();
    NOTIFY vigie_feed, 'epoch';
END $$;
REVOKE ALL ON FUNCTION vigie.new_epoch() FROM PUBLIC;
COMMENT ON FUNCTION vigie.new_epoch() IS 'Makes every cursor handed out so far answer "gap"';
