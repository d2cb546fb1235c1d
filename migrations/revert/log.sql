-- Revert vigie:log from pg
--
-- No CASCADE on what is not ours: triggers of business tables that still call us stop it, with
-- their names. Everything in the two schemas goes.
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    in_use text;
BEGIN
    SELECT string_agg(format('%I on %s', t.tgname, t.tgrelid::regclass), ', ') INTO in_use
      FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
     WHERE p.pronamespace = 'vigie_gen'::regnamespace;
    IF in_use IS NOT NULL THEN
        RAISE EXCEPTION 'triggers still publish events: %', in_use
            USING ERRCODE = 'dependent_objects_still_exist',
                  HINT = 'Call vigie.unpublish() for their events, then revert again.';
    END IF;
END $$;

SET LOCAL ROLE vigie_owner;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
SET LOCAL client_min_messages = warning;
DROP SCHEMA vigie_gen CASCADE;
DROP SCHEMA vigie CASCADE;

COMMIT;
