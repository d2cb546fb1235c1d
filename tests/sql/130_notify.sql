-- The bell: rings at commit when a bridge sleeps, once a company and channel, and not else.
\ir helper/session.sql
SELECT plan(37);
-- The server of the tests allows prepared transactions; see below for `auto`.
UPDATE vigie.config SET value = 'on' WHERE name = 'bell';
SELECT t.open('writer'), t.open('ear'), t.open('one', 'vigie_bridge'), t.open('two', 'vigie_bridge');
SELECT t.run('ear', 'LISTEN vigie_devis'), t.run('ear', 'LISTEN vigie_factures'),
       t.run('ear', 'LISTEN vigie_feed');
CREATE FUNCTION t.held() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1449748329
$$;

SELECT t.emit(ARRAY['1']);
SELECT is(t.heard('ear'), '{}', 'nobody sleeps: no bell');

SELECT is(t.ask('one', 'vigie.sleep()'), 'asleep', 'a bridge falls asleep');
SELECT is(t.ask('one', 'vigie.sleep()'), 'asleep', 'and is asleep');
SELECT is(t.ask('two', 'vigie.sleep()'), 'other', 'another one hears that triggers ring already');
SELECT is(t.held(), 1::bigint, 'one lock, not stacked');

SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT is(t.heard('ear'), '{}', 'nothing rings before the commit');
SELECT t.run('writer', 'COMMIT');
SELECT is(t.heard('ear'), ARRAY['vigie_devis=1'], 'the commit rings, with the company and no more');
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])'),
       t.run('writer', 'ROLLBACK');
SELECT is(t.heard('ear'), '{}', 'a rollback does not ring');
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SAVEPOINT s'),
       t.run('writer', 'SELECT t.emit(ARRAY[''undone''])'), t.run('writer', 'ROLLBACK TO s'),
       t.run('writer', 'SELECT t.emit(ARRAY[''kept''])'), t.run('writer', 'COMMIT');
SELECT is(t.heard('ear'), ARRAY['vigie_devis=kept'], 'nor does a savepoint rolled back');
SELECT t.run('writer', 'SELECT t.emit(array_fill(''1''::text, ARRAY[500]))');
SELECT is(t.heard('ear'), ARRAY['vigie_devis=1'], 'a bulk statement rings once a company');
SELECT t.run('writer', 'SELECT t.emit(ARRAY[''1'', ''2'', ''1'', ''2''])');
SELECT is((SELECT array_agg(h ORDER BY h) FROM unnest(t.heard('ear')) h),
          ARRAY['vigie_devis=1', 'vigie_devis=2'], 'for each company');
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])'),
       t.run('writer', 'SELECT t.emit(ARRAY[''1''])'),
       t.run('writer', 'SELECT t.emit(ARRAY[''1''], ''facture:paid'', ''vigie_factures'')'),
       t.run('writer', 'COMMIT');
SELECT is(t.heard('ear'), ARRAY['vigie_devis=1', 'vigie_factures=1'], 'and for each table');
SELECT t.run('writer', 'SET client_min_messages = error'),
       t.run('writer', 'SELECT t.emit(ARRAY[NULL, ''''])');
SELECT is(t.heard('ear'), '{}', 'events that are refused do not ring');
SELECT t.run('writer', 'SELECT t.emit(ARRAY[''1''], ''e:e'', repeat(''c'', 64))');
SELECT is((SELECT count(*) FROM vigie.outbox WHERE channel = repeat('c', 64)), 1::bigint,
          'a channel that PostgreSQL refuses costs the bell, not the event');
SELECT t.heard('ear');

-- A business session cannot make the log wait, nor ring for nothing
SELECT is((SELECT count(*) FROM vigie.pull(0, 10000)), 511::bigint, 'everything committed is in the feed');
SELECT is(t.heard('ear'), ARRAY['vigie_feed='], 'sequencing tells the other bridges');
SELECT is((SELECT count(*) FROM vigie.pull(511, 100)), 0::bigint, 'nothing new');
SELECT is(t.heard('ear'), '{}', 'tells nobody');

-- Awake again
SELECT t.ask('one', 'vigie.wake()');
SELECT is(t.held(), 0::bigint, 'waking up gives the lock back, however often it was asked for');
SELECT lives_ok($$ SELECT t.ask('one', 'vigie.wake()') $$, 'waking twice does nothing');
SELECT t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT is(t.heard('ear'), '{}', 'awake: no bell');

-- No falling asleep over a writer that has not rung
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''9''])');
SELECT is(t.ask('one', 'vigie.sleep()'), 'busy', 'a writer in flight keeps the bridge awake');
SELECT is(t.held(), 1::bigint, 'asking leaves no lock behind');
SELECT t.run('writer', 'COMMIT');
SELECT is(t.ask('one', 'vigie.sleep()'), 'asleep', 'once it has ended, the bridge may sleep');
SELECT is((SELECT count(*) FROM vigie.pull(512, 10)), 1::bigint, 'and sees what that writer wrote');
SELECT t.heard('ear');

-- A bridge that dies
SELECT dblink_disconnect('one');
SELECT is((SELECT count(*) FROM generate_series(1, 1000) WHERE t.ask('two', 'vigie.sleep()') = 'asleep'
            LIMIT 1) > 0, true, 'when a bridge dies the next one takes over');
SELECT t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT is(t.heard('ear'), ARRAY['vigie_devis=1'], 'and triggers ring for it');

-- PREPARE TRANSACTION cannot carry a NOTIFY
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT throws_ok($$ SELECT t.run('writer', 'PREPARE TRANSACTION ''x''') $$, '0A000', NULL,
                 'a bell cannot be prepared');
UPDATE vigie.config SET value = 'off' WHERE name = 'bell';
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT lives_ok($$ SELECT t.run('writer', 'PREPARE TRANSACTION ''x''') $$,
                'without the bell a transaction can be prepared');
SELECT t.run('writer', 'COMMIT PREPARED ''x''');
SELECT is(t.heard('ear'), '{}', 'and is silent');
UPDATE vigie.config SET value = 'auto' WHERE name = 'bell';
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT lives_ok($$ SELECT t.run('writer', 'PREPARE TRANSACTION ''x''') $$,
                'auto does not ring where transactions can be prepared');
SELECT t.run('writer', 'COMMIT PREPARED ''x''');
SELECT is(vigie.may_ring('auto'), false, 'since this server prepares transactions');
UPDATE vigie.config SET value = 'on' WHERE name = 'bell';

-- A bell waits at commit for slower ones; a lock_timeout of the business would fail the commit there
SELECT t.run('writer', 'SET vigie.lock_timeout = ''200ms''');
SELECT t.heard('ear') \g /dev/null
SELECT t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT is(t.heard('ear'), '{}', 'a session with a lock_timeout does not ring');
SELECT set_config('vigie.lock_timeout', '1min', false);
SELECT ok(NOT vigie.may_ring('on'), 'nor one with a long one');
SELECT set_config('vigie.lock_timeout', '0', false);
SELECT ok(vigie.may_ring('on') AND NOT vigie.may_ring('off'), 'none rings');
SELECT t.run('writer', 'RESET vigie.lock_timeout'), t.run('writer', 'SELECT t.emit(ARRAY[''1''])');
SELECT is(t.heard('ear'), ARRAY['vigie_devis=1'], 'without one it rings again');

-- A new epoch
SELECT vigie.new_epoch();
SELECT is(t.heard('ear'), ARRAY['vigie_feed=epoch'], 'a new epoch tells the bridges');
SELECT * FROM finish();
