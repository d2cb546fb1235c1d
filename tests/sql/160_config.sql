-- Settings: refused when they make no sense, in force at once.
\ir helper/session.sql
SELECT plan(24);
SELECT is(vigie.setting('max_payload_bytes'), '16384', 'default payload');
SELECT is(vigie.setting('retention_hours'), '72', 'default retention');
SELECT is(vigie.setting('outbox_quota_rows'), '1000000', 'default quota');
SELECT is(vigie.setting('schema_version'), '1', 'schema version');
SELECT is(vigie.setting('nothing'), NULL, 'an unknown setting is NULL');
SELECT throws_ok($$ UPDATE vigie.config SET value = 'many' WHERE name = 'retention_hours' $$, '22023',
    'setting retention_hours is a whole number from 1 to 8760, not ''many''', 'no number');
SELECT throws_ok($$ UPDATE vigie.config SET value = '0' WHERE name = 'retention_hours' $$, '22023', NULL,
    'below');
SELECT throws_ok($$ UPDATE vigie.config SET value = '8761' WHERE name = 'retention_hours' $$, '22023', NULL,
    'above');
SELECT throws_ok($$ UPDATE vigie.config SET value = 'maybe' WHERE name = 'bell' $$, '22023',
    'setting bell is auto, on or off, not ''maybe''', 'a switch');
SELECT throws_ok($$ DELETE FROM vigie.config WHERE name = 'bell' $$, '23001',
    'setting bell cannot be removed', 'settings stay');
SELECT throws_ok($$ UPDATE vigie.config SET name = 'x' WHERE name = 'bell' $$, '23001', NULL,
    'and keep their names');
UPDATE vigie.config SET value = '1000' WHERE name = 'max_payload_bytes';
SELECT is((SELECT max_payload_bytes FROM vigie.gate), 1000, 'writers see a new ceiling');
UPDATE vigie.config SET value = 'off' WHERE name = 'bell';
SELECT is((SELECT bell FROM vigie.gate), 'off', 'and the switch of the bell');
CREATE TEMP TABLE before AS SELECT last_value FROM vigie.outbox_limit;
UPDATE vigie.config SET value = '1000500' WHERE name = 'outbox_quota_rows';
SELECT is((SELECT l.last_value - b.last_value FROM vigie.outbox_limit l, before b), 500::bigint,
    'a new quota keeps what is waiting');
UPDATE vigie.config SET value = '10' WHERE name = 'outbox_quota_rows';
SELECT t.emit(ARRAY['1']) FROM generate_series(1, 5);
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT is((SELECT l.last_value - s.last_value FROM vigie.outbox_limit l, vigie.outbox_id s), 10::bigint,
    'the quota counts from what is sequenced');
SELECT lives_ok($$ INSERT INTO vigie.config VALUES ('site', 'x', 'ours') $$, 'other settings are free');
SELECT lives_ok($$ UPDATE vigie.config SET value = 'y' WHERE name = 'site' $$, 'and can be changed');

-- A transaction that took its snapshot before a whole quota of events went by
SELECT t.open('old');
CREATE FUNCTION t.lost() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(sum(count), 0)::bigint FROM vigie.lost $$;
CREATE TEMP TABLE lost AS SELECT t.lost() AS before;
SELECT t.run('old', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), t.ask('old', 'SELECT count(*) FROM vigie.feed');
SELECT t.emit(ARRAY['1', '2', '3', '4', '5', '6']);
DO $$ BEGIN PERFORM vigie.pull(0, 100); END $$;
SELECT t.emit(ARRAY['1', '2', '3', '4', '5', '6', '7']);
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT is(t.lost() - before, 0::bigint, 'more than a quota was written and sequenced') FROM lost;
SELECT t.run('old', 'SELECT t.emit(ARRAY[''old snapshot''])'), t.run('old', 'COMMIT');
SELECT is(t.lost() - before, 0::bigint, 'an old snapshot sees the limit of now and loses nothing') FROM lost;
DO $$ BEGIN PERFORM vigie.pull(0, 100); END $$;
SELECT is((SELECT company FROM vigie.feed ORDER BY seq DESC LIMIT 1), 'old snapshot', 'and its event is in the feed');
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT t.run('old', 'BEGIN ISOLATION LEVEL SERIALIZABLE'), t.ask('old', 'SELECT count(*) FROM vigie.feed');
SET client_min_messages = error;
SELECT t.emit(ARRAY['1']) FROM generate_series(1, 20);
SELECT is(t.lost() - before, 10::bigint, 'without a bridge the quota is used up') FROM lost;
SELECT t.run('old', 'SET LOCAL client_min_messages = error'), t.run('old', 'SELECT t.emit(ARRAY[''too late''])'), t.run('old', 'COMMIT');
SELECT is(t.lost() - before, 11::bigint, 'for whoever does not see that, too') FROM lost;

-- The same for the losses that are written one by one
SELECT setval('vigie.loss_limit', last_value) FROM vigie.loss_id;
SELECT t.run('old', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), t.ask('old', 'SELECT count(*) FROM vigie.loss');
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT t.run('old', 'SELECT vigie.note_loss(''e:old'', ''why'')'), t.run('old', 'COMMIT');
SELECT is((SELECT count FROM vigie.lost WHERE event = 'e:old'), 1::bigint, 'a loss finds room by the limit of now');

-- A change that was taken back
CREATE TEMP TABLE room AS SELECT last_value FROM vigie.outbox_limit;
BEGIN;
UPDATE vigie.config SET value = '7' WHERE name = 'outbox_quota_rows';
ROLLBACK;
DO $$ BEGIN PERFORM vigie.pull(0, 100); PERFORM vigie.retain(); END $$;
SELECT is((SELECT l.last_value - s.last_value FROM vigie.outbox_limit l, vigie.outbox_id s), 10::bigint,
    'a change of the quota that is rolled back is forgotten at the next turn of retention');
SELECT * FROM finish();
