-- The door for triggers: what it writes and what it refuses.
\ir helper/session.sql
SELECT plan(33);

CREATE FUNCTION t.item(company text, rooms text[], payload json) RETURNS void LANGUAGE sql AS $$
    SELECT vigie.emit('vigie_devis', 'devis:created', ARRAY[ROW(company, rooms, payload)::vigie.item])
$$;
CREATE FUNCTION t.lost(reason_like text) RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(count), 0)::bigint FROM vigie.lost WHERE reason LIKE reason_like
$$;
CREATE FUNCTION t.written() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM vigie.outbox $$;
SET client_min_messages = error;

-- What is written
SELECT t.item('42', ARRAY['company:42', 'user:u7'], '{"z":1,"a":"é","amount":9007199254740993}');
SELECT results_eq('SELECT company, channel, event, rooms, payload::text FROM vigie.outbox',
    $$ VALUES ('42', 'vigie_devis', 'devis:created', ARRAY['company:42', 'user:u7'],
               '{"z":1,"a":"é","amount":9007199254740993}') $$,
    'an event is written as it came, keys in their order');
SELECT t.item('42', ARRAY['company:42'], E'{"a":\r\n {"text":"two\\nlines"}}'::json);
SELECT is((SELECT payload::text FROM vigie.outbox ORDER BY id DESC LIMIT 1),
          E'{"a":   {"text":"two\\nlines"}}', 'a payload is one line, its strings untouched');
SELECT is((SELECT count(DISTINCT xid) FROM vigie.outbox), 2::bigint, 'a transaction, an xid');
BEGIN;
SELECT t.emit(ARRAY['1']);
SAVEPOINT s;
SELECT t.emit(ARRAY['1']);
RELEASE s;
COMMIT;
SELECT is((SELECT count(DISTINCT xid) FROM vigie.outbox WHERE company = '1'), 1::bigint,
          'events inside a savepoint carry the top-level transaction id');
SELECT lives_ok($$ SELECT vigie.emit('vigie_devis', 'devis:created', NULL) $$, 'no items, nothing');
SELECT lives_ok($$ SELECT vigie.emit('vigie_devis', 'devis:created', '{}') $$, 'empty, nothing');
SELECT is(t.written(), 4::bigint, 'and nothing was written for them');

BEGIN;
SELECT t.emit(ARRAY['keep']);
SAVEPOINT s;
SELECT t.emit(ARRAY['undone']);
ROLLBACK TO s;
SELECT t.emit(ARRAY['keep']);
COMMIT;
SELECT is((SELECT array_agg(company) FROM vigie.outbox WHERE company IN ('keep', 'undone')),
          ARRAY['keep', 'keep'], 'a savepoint rolled back takes its events along');
TRUNCATE vigie.outbox;

-- Ceilings: on the mark passes, one above is lost and counted
SELECT t.item(NULL, ARRAY['a:1'], '{}');
SELECT is(t.lost('no company'), 1::bigint, 'no company: counted');
SELECT t.item('', ARRAY['a:1'], '{}');
SELECT is(t.lost('no company'), 2::bigint, 'empty company: counted');
SELECT t.item(repeat('é', 32), ARRAY['a:1'], '{}');
SELECT is(t.written(), 1::bigint, 'a company of 64 bytes passes');
SELECT t.item(repeat('é', 32) || 'x', ARRAY['a:1'], '{}');
SELECT is(t.lost('company longer%'), 1::bigint, 'a company of 65 bytes is refused');
SELECT t.item(E'a\tb', ARRAY['a:1'], '{}');
SELECT is(t.lost('control character%'), 1::bigint, 'a control character in a company is refused');
SELECT t.item('1', ARRAY[E'a:\n'], '{}');
SELECT is(t.lost('control character%'), 2::bigint, 'a control character in a room is refused');
SELECT t.item('1', '{}', '{}'), t.item('1', NULL, '{}');
SELECT is(t.lost('no room'), 2::bigint, 'no room: counted');
SELECT t.item('1', ARRAY['a:1', NULL], '{}'), t.item('1', ARRAY[''], '{}');
SELECT is(t.lost('empty room name'), 2::bigint, 'an empty room name is refused');
SELECT t.item('1', (SELECT array_agg('a:' || i) FROM generate_series(1, 16) i), '{}');
SELECT is(t.written(), 2::bigint, '16 rooms pass');
SELECT t.item('1', (SELECT array_agg('a:' || i) FROM generate_series(1, 17) i), '{}');
SELECT is(t.lost('more than 16%'), 1::bigint, '17 rooms are refused');
SELECT t.item('1', ARRAY['a:' || repeat('x', 198), 'b:' || repeat('x', 198)], '{}');
SELECT is(t.written(), 3::bigint, 'rooms of 200 bytes pass');
SELECT t.item('1', ARRAY['a:' || repeat('x', 199)], '{}');
SELECT is(t.lost('room name longer%'), 1::bigint, 'a room of 201 bytes is refused');
SELECT t.item('1', ARRAY['a:1'], NULL);
SELECT is(t.lost('no payload'), 1::bigint, 'no payload: counted');
SELECT t.item('1', ARRAY['a:1'], to_json(repeat('x', 16382)));
SELECT is(t.written(), 4::bigint, 'a payload of 16,384 bytes passes');
SELECT t.item('1', ARRAY['a:1'], to_json(repeat('x', 16383)));
SELECT is(t.lost('payload above%'), 1::bigint, 'a payload of 16,385 bytes is refused');
UPDATE vigie.config SET value = '20' WHERE name = 'max_payload_bytes';
SELECT t.item('1', ARRAY['a:1'], to_json(repeat('x', 19)));
SELECT is(t.lost('payload above%'), 2::bigint, 'the setting takes effect at once');
TRUNCATE vigie.outbox;
SELECT vigie.emit('vigie_devis', 'devis:created', ARRAY[ROW('1', ARRAY['a:1'], '{}'),
    ROW(NULL, ARRAY['a:1'], '{}'), ROW('2', ARRAY['a:1'], '{}')]::vigie.item[]);
SELECT is((SELECT array_agg(company ORDER BY id) FROM vigie.outbox), ARRAY['1', '2'],
          'one bad item does not take the others along');
SELECT is((SELECT event FROM vigie.lost WHERE reason = 'no company'), 'devis:created',
          'a loss names its event');

-- The quota, without counting rows
UPDATE vigie.config SET value = '0' WHERE name = 'outbox_quota_rows';
SELECT is((SELECT l.last_value <= s.last_value FROM vigie.outbox_limit l, vigie.outbox_id s), true, 'quota used up');
SELECT t.item('1', ARRAY['a:1'], '{}');
SELECT is(t.lost('outbox_quota_rows%'), 1::bigint, 'above the quota events are counted as lost');
SELECT is(t.written(), 2::bigint, 'and not written');
UPDATE vigie.config SET value = '1000' WHERE name = 'outbox_quota_rows';
SELECT t.item('1', ARRAY['a:1'], '{}');
SELECT is(t.written(), 3::bigint, 'a larger quota opens the door again');

-- It raises: the generated triggers catch, 250_promise.sql tests that
DELETE FROM vigie.gate;
SELECT throws_ok($$ SELECT t.emit(ARRAY['1']) $$, 'P0002', NULL, 'what is broken is told to the trigger');
SELECT lives_ok($$ SELECT vigie.note_loss('devis:created', 'no gate') $$, 'counting a loss does without the gate');
SELECT is(t.lost('no gate'), 1::bigint, 'and counts it');
SELECT * FROM finish();
