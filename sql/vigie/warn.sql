-- A WARNING that the client's encoding has no characters for turns into an ERROR, and that would reach
-- the business. Our message quotes data and may be translated, hence ASCII; its context quotes the
-- statements of the business, hence the block: what cannot be said is left unsaid.
CREATE OR REPLACE FUNCTION vigie.warn(message text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE WARNING 'vigie: %', regexp_replace(message, '[^ -~]', '?', 'g');
EXCEPTION WHEN untranslatable_character OR character_not_in_repertoire THEN
    NULL;
END $$;
REVOKE ALL ON FUNCTION vigie.warn(text) FROM PUBLIC;
COMMENT ON FUNCTION vigie.warn(text) IS 'A WARNING that fails for no client, whatever its encoding';
