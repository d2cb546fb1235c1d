CREATE OR REPLACE FUNCTION vigie.longest(names text[]) RETURNS int
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT max(octet_length(n)) FROM unnest(names) AS n
$$;
REVOKE ALL ON FUNCTION vigie.longest(text[]) FROM PUBLIC;
COMMENT ON FUNCTION vigie.longest(text[]) IS 'Bytes of the longest name';
