CREATE OR REPLACE FUNCTION vigie.unprotect(pattern text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    DELETE FROM vigie.sensitive s WHERE s.pattern = unprotect.pattern;
    RETURN FOUND;
END
$fn$;

COMMENT ON FUNCTION vigie.unprotect(text) IS 'Takes a pattern of vigie.protect() back; false when there was none';
REVOKE ALL ON FUNCTION vigie.unprotect(text) FROM PUBLIC;
