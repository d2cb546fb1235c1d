-- While the log is still moving in (see vigie.rebase()) last_seq is NULL: call again.
CREATE OR REPLACE FUNCTION vigie.hello()
RETURNS TABLE (schema_version int, epoch text, cursor_key bytea, last_seq bigint,
               floor_seq bigint, in_recovery boolean, server_version_num int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    here boolean := true;
BEGIN
    IF NOT pg_is_in_recovery() THEN
        here := vigie.rebase();
    END IF;
    RETURN QUERY
    SELECT vigie.setting('schema_version')::int,
           encode(substr(sha256(convert_to(vigie.origin() || '/' || s.nonce, 'UTF8')), 1, 8), 'hex'),
           s.cursor_key,
           CASE WHEN here THEN (SELECT t.last_seq FROM vigie.tick t ORDER BY t.tick_id DESC LIMIT 1) END,
           r.floor_seq,
           pg_is_in_recovery(),
           current_setting('server_version_num')::int
      FROM vigie.secret s, vigie.ring r
     WHERE s.one AND r.one;
END $$;
REVOKE ALL ON FUNCTION vigie.hello() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.hello() TO vigie_bridge;
COMMENT ON FUNCTION vigie.hello() IS
    'First call of a bridge on each connection: version, epoch, key of the cursors, ends of the feed';
