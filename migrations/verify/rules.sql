-- Verify vigie:rules on pg
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    name text;
    bad text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rule', 'rules_seen', 'sensitive', 'allowed_function', 'rules'] LOOP
        ASSERT EXISTS (SELECT FROM pg_catalog.pg_class
                        WHERE relname = name AND relnamespace = 'vigie'::regnamespace
                          AND relowner = 'vigie_owner'::regrole),
            format('vigie.%s is missing or has another owner', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'vigie.publish(text,regclass,text,text,text,text,text,text,vigie.lookup[],text,text,text,text,boolean)',
        'vigie.lookup(text,regclass,text,text)', 'vigie.unpublish(text)', 'vigie.pause(text,text)', 'vigie.resume(text)',
        'vigie.protect(text,text)', 'vigie.unprotect(text)', 'vigie.allow_function(regprocedure,text)',
        'vigie.disallow_function(regprocedure)', 'vigie.preview(text,int)', 'vigie.assert_ok(text)', 'vigie.export()',
        'vigie.typescript()'] LOOP
        ASSERT to_regprocedure(name) IS NOT NULL, format('function %s is missing', name);
    END LOOP;

    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO bad
      FROM pg_catalog.pg_proc p
     CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS g
     WHERE p.pronamespace IN ('vigie'::regnamespace, 'vigie_gen'::regnamespace) AND g.grantee = 0;
    ASSERT bad IS NULL, format('PUBLIC may execute %s', bad);

    SELECT string_agg(c.oid::regclass::text, ', ') INTO bad
      FROM pg_catalog.pg_class c
     WHERE c.relnamespace = 'vigie'::regnamespace AND c.relkind IN ('r', 'v')
       AND has_any_column_privilege('vigie_bridge', c.oid, 'SELECT, INSERT, UPDATE');
    ASSERT bad IS NULL, format('vigie_bridge has rights on %s', bad);

    PERFORM vigie.rules_bad(), vigie.typescript();
    PERFORM vigie.export();
END $$;

ROLLBACK;
