CREATE OR REPLACE FUNCTION vigie.rule_store(r vigie.rule)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    present vigie.rule := (SELECT t FROM vigie.rule t WHERE t.event = r.event);
BEGIN
    r.updated_at := present.updated_at;
    r.updated_by := present.updated_by;
    IF present IS NOT DISTINCT FROM r THEN
        RETURN false;
    END IF;
    r.updated_at := now();
    r.updated_by := session_user;
    DELETE FROM vigie.rule t WHERE t.event = r.event;
    INSERT INTO vigie.rule SELECT r.*;
    RETURN true;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_store(vigie.rule) IS 'Writes a rule into the catalogue; false when it stood there word for word';
REVOKE ALL ON FUNCTION vigie.rule_store(vigie.rule) FROM PUBLIC;
