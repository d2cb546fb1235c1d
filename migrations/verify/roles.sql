-- Verify vigie:roles on pg
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    r record;
BEGIN
    SELECT * INTO r FROM pg_catalog.pg_roles WHERE rolname = 'vigie_owner';
    ASSERT FOUND, 'role vigie_owner is missing';
    ASSERT NOT r.rolcanlogin, 'role vigie_owner can log in';
    ASSERT NOT (r.rolsuper OR r.rolcreaterole), 'role vigie_owner is too powerful';

    SELECT * INTO r FROM pg_catalog.pg_roles WHERE rolname = 'vigie_bridge';
    ASSERT FOUND, 'role vigie_bridge is missing';
    ASSERT r.rolcanlogin, 'role vigie_bridge cannot log in';
    ASSERT NOT (r.rolsuper OR r.rolcreaterole OR r.rolbypassrls), 'role vigie_bridge is too powerful';
    ASSERT NOT pg_has_role('vigie_bridge', 'vigie_owner', 'MEMBER'),
        'role vigie_bridge is a member of vigie_owner and could read everything';

    ASSERT pg_has_role(current_user, 'vigie_owner',
                       CASE WHEN current_setting('server_version_num')::int >= 160000
                            THEN 'SET' ELSE 'MEMBER' END),
        format('role %s may not become vigie_owner', current_user);
END $$;

ROLLBACK;
