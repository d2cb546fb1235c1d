-- Revert vigie:roles from pg
--
-- A role is dropped when nothing in any database depends on it; else it stays, with a notice.
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    role_name text;
    owned text;
    why text;
BEGIN
    SELECT string_agg(DISTINCT format('%s %s', d.classid::regclass, d.objid), ', ') INTO owned
      FROM pg_catalog.pg_shdepend d
     WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = to_regrole('vigie_owner')
       AND d.deptype = 'o'
       AND d.classid <> 'pg_default_acl'::regclass
       AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database());
    IF owned IS NOT NULL THEN
        RAISE EXCEPTION 'vigie_owner still owns objects of this database: %', owned
            USING ERRCODE = 'dependent_objects_still_exist',
                  HINT = 'Give them another owner (REASSIGN OWNED) or drop them, then revert again.';
    END IF;

    FOREACH role_name IN ARRAY ARRAY['vigie_bridge', 'vigie_owner'] LOOP
        CONTINUE WHEN to_regrole(role_name) IS NULL;
        BEGIN
            -- Only privileges are left to take back, seen above. They need membership.
            IF EXISTS (SELECT FROM pg_catalog.pg_shdepend d
                        WHERE d.refclassid = 'pg_authid'::regclass
                          AND d.refobjid = to_regrole(role_name)
                          AND d.dbid IN (0, (SELECT oid FROM pg_catalog.pg_database
                                              WHERE datname = current_database()))) THEN
                IF NOT pg_has_role(current_user, role_name, 'USAGE') THEN
                    EXECUTE format('GRANT %I TO %I', role_name, current_user);
                END IF;
                EXECUTE format('DROP OWNED BY %I', role_name);
            END IF;
            EXECUTE format('DROP ROLE %I', role_name);
        EXCEPTION
            WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN
                GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
                RAISE NOTICE 'role % is kept: %', role_name,
                    concat_ws('; ', SQLERRM, nullif(why, ''));
        END;
    END LOOP;
END $$;

COMMIT;
