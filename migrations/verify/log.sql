-- Verify vigie:log on pg
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    name text;
    granted text;
BEGIN
    FOREACH name IN ARRAY ARRAY['outbox', 'outbox_0', 'outbox_1', 'outbox_2', 'outbox_3',
        'feed', 'feed_0', 'feed_1', 'feed_2', 'feed_3', 'feed_4', 'feed_5', 'feed_6', 'feed_7',
        'tick', 'sequencer', 'ring', 'gate', 'config', 'secret', 'loss', 'loss_total', 'lost',
        'outbox_id', 'outbox_limit', 'loss_id', 'loss_limit'] LOOP
        ASSERT EXISTS (SELECT FROM pg_catalog.pg_class
                        WHERE relname = name AND relnamespace = 'vigie'::regnamespace
                          AND relowner = 'vigie_owner'::regrole),
            format('vigie.%s is missing or has another owner', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['vigie.emit(text,text,vigie.item[])', 'vigie.hello()',
        'vigie.append(text,text,vigie.item[])', 'vigie.note_loss(text,text,bigint)',
        'vigie.pull(bigint,int)', 'vigie.replay(text,bigint,int)', 'vigie.sleep()', 'vigie.wake()',
        'vigie.may_join(jsonb,text)', 'vigie.retain()', 'vigie.status()', 'vigie.advance(boolean,bigint)',
        'vigie.rebase()', 'vigie.new_epoch()', 'vigie.setting(text)', 'vigie.rules_bad()'] LOOP
        ASSERT to_regprocedure(name) IS NOT NULL, format('function %s is missing', name);
    END LOOP;

    FOREACH name IN ARRAY ARRAY['vigie.hello()', 'vigie.pull(bigint,int)', 'vigie.sleep()',
        'vigie.wake()', 'vigie.replay(text,bigint,int)', 'vigie.may_join(jsonb,text)',
        'vigie.retain()', 'vigie.status()'] LOOP
        ASSERT has_function_privilege('vigie_bridge', name, 'EXECUTE'),
            format('vigie_bridge may not execute %s', name);
    END LOOP;

    SELECT string_agg(c.oid::regclass::text, ', ') INTO granted
      FROM pg_catalog.pg_class c
     WHERE c.relnamespace = 'vigie'::regnamespace AND c.relkind IN ('r', 'p', 'v')
       AND has_any_column_privilege('vigie_bridge', c.oid, 'SELECT, INSERT, UPDATE');
    ASSERT granted IS NULL, format('vigie_bridge has rights on %s', granted);

    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO granted
      FROM pg_catalog.pg_proc p
     CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     WHERE p.pronamespace IN ('vigie'::regnamespace, 'vigie_gen'::regnamespace) AND a.grantee = 0;
    ASSERT granted IS NULL, format('PUBLIC may execute %s', granted);

    -- may_join() is the DBA's to replace, and so is what he wants of it.
    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO granted
      FROM pg_catalog.pg_proc p
     WHERE p.pronamespace IN ('vigie'::regnamespace, 'vigie_gen'::regnamespace) AND p.prosecdef
       AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%');
    ASSERT granted IS NULL, format('SECURITY DEFINER without a fixed search_path: %s', granted);
END $$;

ROLLBACK;
