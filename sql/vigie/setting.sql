CREATE OR REPLACE FUNCTION vigie.setting(name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.value FROM vigie.config c WHERE c.name = setting.name
$$;
REVOKE ALL ON FUNCTION vigie.setting(text) FROM PUBLIC;
COMMENT ON FUNCTION vigie.setting(text) IS 'Value of a setting of vigie.config, or NULL';
