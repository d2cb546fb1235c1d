-- Settings: refused when they make no sense, in force at once.
\ir helper/session.sql
SELECT plan(17);
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
SELECT * FROM finish();
