-- Deploy vigie:roles to pg
--
-- Roles belong to the cluster, not to the database: another database may have made them already.
-- Run by a superuser, or by a role with CREATEROLE (and CREATE on the database, for the next
-- change). No password is set here: `\password vigie_bridge`, or peer authentication.
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    -- Since 16 whoever makes a role administers it, but becomes it only by a grant of its own.
    becoming text := CASE WHEN current_setting('server_version_num')::int >= 160000
                          THEN 'SET' ELSE 'MEMBER' END;
    bad text;
BEGIN
    IF to_regrole('vigie_owner') IS NULL THEN
        CREATE ROLE vigie_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
        COMMENT ON ROLE vigie_owner IS
            'Vigie: owns the event log and the generated trigger functions; nobody logs in as it';
    ELSE
        RAISE NOTICE 'role vigie_owner exists already, kept as it is';
    END IF;

    IF to_regrole('vigie_bridge') IS NULL THEN
        CREATE ROLE vigie_bridge LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION
            CONNECTION LIMIT 32;
        ALTER ROLE vigie_bridge SET search_path = 'pg_catalog';
        -- The database may default to something else for the business; advance() needs this.
        ALTER ROLE vigie_bridge SET default_transaction_isolation = 'read committed';
        ALTER ROLE vigie_bridge SET default_transaction_read_only = off;
        ALTER ROLE vigie_bridge SET statement_timeout = '5s';
        ALTER ROLE vigie_bridge SET lock_timeout = '1s';
        ALTER ROLE vigie_bridge SET idle_in_transaction_session_timeout = '5s';
        COMMENT ON ROLE vigie_bridge IS
            'Vigie: the bridge logs in as it; executes a few functions of schema vigie, reads nothing';
    ELSE
        RAISE NOTICE 'role vigie_bridge exists already, kept as it is';
    END IF;

    -- A role that was there before us must not turn the bridge into somebody powerful. BYPASSRLS is for
    -- lookups in tables with policies; it adds nothing to the privileges that vigie_owner has.
    SELECT string_agg(rolname, ', ' ORDER BY rolname) INTO bad
      FROM pg_catalog.pg_roles
     WHERE rolname IN ('vigie_owner', 'vigie_bridge')
       AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
            OR rolbypassrls AND rolname = 'vigie_bridge');
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'role % exists with more rights than Vigie wants', bad
            USING ERRCODE = 'invalid_role_specification',
                  HINT = 'ALTER ROLE … NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';
    END IF;
    IF (SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = 'vigie_owner') THEN
        RAISE EXCEPTION 'role vigie_owner can log in'
            USING ERRCODE = 'invalid_role_specification',
                  HINT = 'ALTER ROLE vigie_owner NOLOGIN';
    END IF;

    -- The deployer acts as the owner from here on (SET ROLE).
    IF NOT pg_has_role(current_user, 'vigie_owner', becoming) THEN
        BEGIN
            EXECUTE format('GRANT vigie_owner TO %I', current_user);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'role % is not a member of vigie_owner and may not make itself one',
                current_user
                USING ERRCODE = 'insufficient_privilege',
                      HINT = format('Whoever made vigie_owner runs: GRANT vigie_owner TO %I',
                                    current_user);
        END;
    END IF;
END $$;

COMMIT;
