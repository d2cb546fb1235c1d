-- Who may do what with the log.
\ir helper/session.sql
SELECT plan(20);

SELECT is((SELECT rolcanlogin FROM pg_roles WHERE rolname = 'vigie_owner'), false,
          'nobody logs in as vigie_owner');
SELECT is((SELECT rolcanlogin AND NOT rolinherit AND NOT rolsuper FROM pg_roles
            WHERE rolname = 'vigie_bridge'), true, 'vigie_bridge logs in and inherits nothing');
SELECT is(pg_has_role('vigie_bridge', 'vigie_owner', 'MEMBER'), false,
          'vigie_bridge cannot become vigie_owner');

SELECT is(
    ARRAY(SELECT p.proname::text FROM pg_proc p
           WHERE p.pronamespace = 'vigie'::regnamespace
             AND has_function_privilege('vigie_bridge', p.oid, 'EXECUTE') ORDER BY 1),
    ARRAY['hello', 'may_join', 'pull', 'replay', 'retain', 'sleep', 'status', 'wake'],
    'vigie_bridge executes its eight functions and no other');
SELECT is_empty(
    $$ SELECT p.oid::regprocedure FROM pg_proc p
        CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.pronamespace IN ('vigie'::regnamespace, 'vigie_gen'::regnamespace)
          AND a.grantee = 0 $$, 'PUBLIC executes nothing of ours');
SELECT is_empty(
    $$ SELECT c.oid::regclass FROM pg_class c
        WHERE c.relnamespace = 'vigie'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND has_any_column_privilege('vigie_bridge', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') $$,
    'vigie_bridge has no right on any table of ours');
SELECT is_empty(
    $$ SELECT c.oid::regclass FROM pg_class c
        WHERE c.relnamespace = 'vigie'::regnamespace
          AND CASE WHEN c.relkind = 'S' THEN
              has_sequence_privilege('vigie_bridge', c.oid, 'USAGE, SELECT, UPDATE') END $$,
    'nor on any sequence');
SELECT is_empty(
    $$ SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'vigie'::regnamespace AND p.prosecdef
          AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}')) $$,
    'every SECURITY DEFINER function fixes its search_path, pg_temp last');
SELECT is_empty(
    $$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'vigie'::regnamespace
          AND c.relowner <> 'vigie_owner'::regrole $$, 'vigie_owner owns every relation');

-- As the bridge, for real, whatever the database defaults to.
ALTER DATABASE vigie_test SET default_transaction_isolation = serializable;
ALTER DATABASE vigie_test SET default_transaction_read_only = on;
SELECT t.open('bridge', 'vigie_bridge');
ALTER DATABASE vigie_test RESET default_transaction_isolation;
SET default_transaction_read_only = off;
ALTER DATABASE vigie_test RESET default_transaction_read_only;
SELECT is(t.ask('bridge', 'SELECT current_setting(''transaction_isolation'') || '' '' || current_setting(''transaction_read_only'')'), 'read committed off', 'the bridge reads committed and may write, whatever the database defaults to');
SELECT is(t.ask('bridge', 'SELECT schema_version FROM vigie.hello()'), '1', 'the bridge says hello');
SELECT is(t.ask('bridge', 'SELECT count(*) FROM vigie.pull(0, 10)'), '0', 'the bridge pulls');
SELECT is(t.ask('bridge', 'vigie.may_join(''{"company":"1"}'', ''company:1'')'), 'false',
          'no room is open until the DBA says so');
SELECT throws_ok($$ SELECT t.ask('bridge', 'SELECT count(*) FROM vigie.outbox') $$, '42501', NULL,
                 'the bridge cannot read the outbox');
SELECT throws_ok($$ SELECT t.ask('bridge', 'SELECT count(*) FROM vigie.feed_0') $$, '42501', NULL,
                 'nor a slot of the feed');
SELECT throws_ok($$ SELECT t.ask('bridge', 'SELECT cursor_key FROM vigie.secret') $$, '42501', NULL,
                 'nor the secrets');
SELECT throws_ok($$ SELECT t.run('bridge', 'SELECT vigie.emit(''c'', ''e'', NULL)') $$, '42501', NULL,
                 'the bridge cannot emit');
SELECT throws_ok($$ SELECT t.run('bridge', 'SELECT vigie.new_epoch()') $$, '42501', NULL,
                 'nor change the epoch');

-- A business role has no right in the schema, and needs none.
SELECT t.open('business', 'business');
SELECT throws_ok($$ SELECT t.ask('business', 'SELECT count(*) FROM vigie.pull(0, 1)') $$, '42501', NULL,
                 'a business role cannot pull');
SELECT throws_ok($$ SELECT t.run('business', 'SELECT vigie.note_loss(''e'', ''r'')') $$, '42501', NULL,
                 'nor invent losses');
SELECT * FROM finish();
