-- From outbox to feed: each event once, in an order that respects what its writer could see.
\ir helper/session.sql
SELECT plan(41);
SELECT t.open('a'), t.open('b'), t.open('p'), t.open('q');

-- What a pull returns after a position: seq:company.
CREATE FUNCTION t.pull(after bigint, max_rows int DEFAULT 100, session text DEFAULT 'p') RETURNS text
LANGUAGE sql AS $$
    SELECT coalesce(t.ask(session, format(
        'SELECT string_agg(seq || '':'' || company, '' '' ORDER BY seq) FROM vigie.pull(%s, %s)',
        after, max_rows)), '')
$$;
CREATE FUNCTION t.ticks() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM vigie.tick $$;

SELECT is(t.pull(0), '', 'nothing yet');
SELECT is(t.ticks(), 1::bigint, 'an empty look writes nothing');
SELECT t.emit(ARRAY['x', 'y', 'z']);
SELECT is(t.pull(0), '1:x 2:y 3:z', 'positions start at 1, in the order of insertion');
SELECT is(t.pull(0), '1:x 2:y 3:z', 'pulling again returns the same');
SELECT is(t.pull(1, 1), '2:y', 'after and max_rows');
SELECT is(t.pull(3), '', 'nothing after the last');
SELECT is(t.ticks(), 2::bigint, 'one tick for the three');

-- A transaction that commits late
SELECT t.run('a', 'BEGIN'), t.run('a', 'SELECT t.emit(ARRAY[''late''])');
SELECT t.run('b', 'SELECT t.emit(ARRAY[''early''])');
SELECT is(t.pull(3), '4:early', 'an open transaction delays nobody');
SELECT is(t.pull(4), '', 'and is not seen');
SELECT t.run('a', 'COMMIT');
SELECT is(t.pull(4), '5:late', 'once committed it comes, though its id is smaller');
SELECT is(t.pull(4, 100, 'q'), '5:late', 'another bridge gets the same positions');

-- Rolled back
SELECT t.run('a', 'BEGIN'), t.run('a', 'SELECT t.emit(ARRAY[''never''])'), t.run('a', 'ROLLBACK');
SELECT t.emit(ARRAY['after']);
SELECT is(t.pull(5), '6:after', 'a rollback leaves neither an event nor a hole');

-- Order inside one turn: b got its transaction id first, but wrote after a had committed
SELECT t.run('b', 'BEGIN'), t.ask('b', 'pg_current_xact_id()');
SELECT t.run('a', 'SELECT t.emit(ARRAY[''cause''])');
SELECT t.run('b', 'SELECT t.emit(ARRAY[''effect''])'), t.run('b', 'COMMIT');
SELECT is(t.pull(6), '7:cause 8:effect', 'an effect never precedes its cause');

-- A prepared transaction
SELECT t.run('a', 'BEGIN'), t.run('a', 'SELECT t.emit(ARRAY[''2pc''])'),
       t.run('a', 'PREPARE TRANSACTION ''x''');
SELECT is(t.pull(8), '', 'a prepared transaction is not seen');
SELECT t.run('a', 'COMMIT PREPARED ''x''');
SELECT is(t.pull(8), '9:2pc', 'until it commits');

-- The sequencer's own transaction
SELECT t.run('p', 'BEGIN'), t.run('p', 'SELECT t.emit(ARRAY[''own1''])');
SELECT t.run('b', 'SELECT t.emit(ARRAY[''other''])');
SELECT is(t.pull(9), '10:other', 'a session does not sequence its own open transaction');
SELECT t.run('p', 'SELECT t.emit(ARRAY[''own2''])'), t.run('p', 'COMMIT');
SELECT is(t.pull(10), '11:own1 12:own2', 'but all of it once it has committed');

-- Batches
UPDATE vigie.config SET value = '2' WHERE name = 'advance_batch';
SELECT t.emit(ARRAY['1', '2', '3', '4']);
SELECT is(t.pull(12), '13:1 14:2', 'a turn takes no more than advance_batch');
SELECT t.emit(ARRAY['5']);
SELECT is((SELECT outbox_pending FROM vigie.status()), 3::bigint, 'the rest counts as pending');
SELECT is(t.pull(14), '15:3 16:4', 'the next turn goes on where the last one stopped');
SELECT is(t.pull(16, 100), '', 'a window that ended on the mark is closed');
SELECT is(t.pull(16, 100), '17:5', 'and what came meanwhile follows');
UPDATE vigie.config SET value = '20000' WHERE name = 'advance_batch';

-- One sequencer at a time
SELECT t.emit(ARRAY['held']);
SELECT t.run('a', 'BEGIN'), t.ask('a', 'SELECT one FROM vigie.sequencer FOR UPDATE');
SELECT is(t.pull(17), '', 'while another session sequences, pull does not wait');
SELECT t.run('a', 'ROLLBACK');
SELECT is(t.pull(17), '18:held', 'afterwards it does it itself');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT throws_ok('SELECT vigie.advance()', '25000', 'vigie.advance() works in READ COMMITTED only',
                 'an old snapshot would sequence twice: refused');
ROLLBACK;
SELECT throws_ok($$ INSERT INTO vigie.tick SELECT tick_id, prev, snap, done_id, last_seq, origin, at
                      FROM vigie.tick ORDER BY tick_id DESC LIMIT 1 $$, '23505', NULL,
                 'two sequencers at once would collide on the tick');
SELECT is((SELECT array_agg(seq ORDER BY seq) FROM vigie.feed),
          ARRAY(SELECT generate_series(1, 18)::bigint), 'no hole, no double');

-- A look does not walk over the rows of a bulk job that is still running
SELECT t.run('a', 'BEGIN'), t.run('a', 'SELECT t.emit(array_fill(''bulk''::text, ARRAY[5000]))');
SELECT pg_stat_force_next_flush();
CREATE FUNCTION t.probe_reads() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM vigie.span(%L, pg_current_snapshot()) s
        CROSS JOIN LATERAL (SELECT FROM vigie.outbox o WHERE o.xid >= s.first AND o.xid <= s.last LIMIT 1) f',
        (SELECT snap FROM vigie.tick ORDER BY tick_id DESC LIMIT 1)) INTO plan;
    RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::bigint + (plan->0->'Plan'->>'Shared Read Blocks')::bigint;
END $$;
SET enable_seqscan = off;
SELECT cmp_ok(t.probe_reads(), '<', 60::bigint, 'a look passes over a running bulk job''s rows');
RESET enable_seqscan;
SELECT t.run('a', 'ROLLBACK');

-- The row as the bridge gets it
SELECT vigie.emit('vigie_factures', 'facture:paid',
    ARRAY[ROW('42', ARRAY['company:42', 'role:admin'], '{"b":1,"a":2}')::vigie.item]);
SELECT results_eq('SELECT seq, company, channel, event, rooms, payload FROM vigie.pull(18, 10)',
    $$ VALUES (19::bigint, '42', 'vigie_factures', 'facture:paid', ARRAY['company:42', 'role:admin'],
               '{"b":1,"a":2}') $$, 'all columns');
SELECT matches((SELECT at FROM vigie.pull(18, 1)), '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$',
               'the time is ISO 8601, in UTC, to the microsecond');
SET timezone = 'Asia/Tokyo';
SELECT is((SELECT at::timestamptz FROM vigie.pull(18, 1)), (SELECT at FROM vigie.feed WHERE seq = 19),
          'whatever the time zone of the session');
RESET timezone;

-- Replay: one company
SELECT results_eq($$ SELECT seq, event, upto, floor_seq FROM vigie.replay('x', 0, 10) $$,
    $$ VALUES (1::bigint, 'devis:created', 19::bigint, 0::bigint) $$,
    'a replay holds the company''s events and the end of the feed');
SELECT results_eq($$ SELECT seq, upto FROM vigie.replay('nobody', 0, 10) $$,
    $$ VALUES (NULL::bigint, 19::bigint) $$, 'one row of NULLs when there is none');
SELECT t.emit(ARRAY['x', 'x', 'y']);
SELECT is(t.pull(19), '20:x 21:x 22:y', 'three more');
SELECT results_eq($$ SELECT seq, upto FROM vigie.replay('x', 0, 2) $$,
    $$ VALUES (1::bigint, 20::bigint), (20, 20) $$, 'upto is the last row''s when there may be more');

-- A position that was handed out survives a crash, whatever the default of the database
SELECT t.emit(ARRAY['sync']);
BEGIN;
SET LOCAL synchronous_commit = off;
SELECT is((SELECT company FROM vigie.pull(22, 10)), 'sync', 'sequenced in a lazy session');
SELECT is(current_setting('synchronous_commit'), 'local', 'commits to disk all the same');
COMMIT;

-- The quota moves with the sequencer, not with the clock
UPDATE vigie.config SET value = '10' WHERE name = 'outbox_quota_rows';
SELECT setval('vigie.outbox_limit', last_value + 4) FROM vigie.outbox_id;
SELECT t.emit(ARRAY['in']);
SELECT is((SELECT company FROM vigie.pull(23, 10)), 'in', 'within the quota');
SELECT is((SELECT last_value FROM vigie.outbox_limit), (SELECT max(outbox_id) + 10 FROM vigie.feed),
          'a bridge that keeps up keeps the door open');
SET client_min_messages = error;
SELECT t.emit(ARRAY['down']) FROM generate_series(1, 30);
SELECT is((SELECT count(*) FROM vigie.pull(24, 100)), 10::bigint,
          'without a bridge the door closes at the quota');
SELECT is((SELECT count FROM vigie.lost), 20::bigint, 'and every event beyond is counted');
SELECT * FROM finish();
