-- Retention: the rings turn, nothing is lost on the way, the floor tells what is gone.
\ir helper/session.sql
SELECT plan(32);
SELECT t.open('a');
SET client_min_messages = error;

CREATE FUNCTION t.rows_in(relation text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM vigie.' || relation INTO n;
    RETURN n;
END $$;
-- Makes the slots look as old as one turn needs them.
CREATE PROCEDURE t.age() LANGUAGE sql AS $$
    UPDATE vigie.ring SET feed_since = feed_since - interval '13 h',
                          outbox_since = outbox_since - interval '19 h'
$$;
CREATE FUNCTION t.slots() RETURNS text LANGUAGE sql AS $$
    SELECT outbox_slot || ' ' || feed_slot FROM vigie.gate, vigie.ring
$$;

SELECT is(vigie.retain(), 'ok', 'a turn with nothing to do');
SELECT is(t.slots(), '0 0', 'turns nothing');
SELECT t.emit(ARRAY['1', '1']);
SELECT is(vigie.retain(), 'ok', 'retain sequences too');
SELECT is((SELECT max(seq) FROM vigie.feed), 2::bigint, 'so the feed has them');
SELECT is((SELECT floor_seq FROM vigie.ring), 0::bigint, 'nothing is gone');

CALL t.age();
SELECT is(vigie.retain(), 'ok', 'after its time');
SELECT is(t.slots(), '1 1', 'both rings turn');
SELECT t.emit(ARRAY['2']);
SELECT is(t.rows_in('outbox_1'), 1::bigint, 'the next events go to the next slot');
SELECT is((SELECT count(*) FROM vigie.pull(0, 10)), 3::bigint, 'readers do not notice');
SELECT is(t.rows_in('feed_1'), 1::bigint, 'the feed writes its next slot');
CALL t.age();
DO $$ BEGIN PERFORM vigie.retain(); END $$;
CALL t.age();
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT is(t.slots(), '3 3', 'third slot');
SELECT is(t.rows_in('outbox_0'), 2::bigint, 'slot 0 of the outbox is still there');

-- The slot to be truncated holds a row of a transaction that is still running
SELECT t.run('a', 'BEGIN'), t.run('a', 'INSERT INTO vigie.outbox (slot, company, channel, event, rooms, payload)
    VALUES (0, ''slow'', ''c'', ''e'', ''{r:1}'', ''{}'')');
CALL t.age();
SELECT is(vigie.retain(), 'outbox_0 locked', 'a slot that somebody writes is left alone, at once');
SELECT is(t.slots(), '3 4', 'the feed turns without it');
SELECT t.run('a', 'COMMIT');

-- … and one that is committed, but not sequenced
UPDATE vigie.config SET value = '1' WHERE name = 'advance_batch';
SELECT t.emit(ARRAY['3', '3', '3']);
SELECT is(vigie.retain(), 'outbox_0 not sequenced yet', 'rows not yet sequenced are never truncated');
UPDATE vigie.config SET value = '20000' WHERE name = 'advance_batch';
SELECT is((SELECT count(*) FROM vigie.pull(0, 100)), 7::bigint, 'they are sequenced in the end');
SELECT is(vigie.retain(), 'ok', 'then the ring turns');
SELECT is((SELECT count(*) FROM vigie.pull(0, 100)), 7::bigint, 'with nothing lost');
SELECT is(t.slots(), '0 4', 'back to the first slot');
SELECT is(t.rows_in('outbox_0'), 0::bigint, 'which is empty');

-- A full turn of the feed
CREATE PROCEDURE t.turn() LANGUAGE plpgsql AS $$
BEGIN
    CALL t.age();
    COMMIT;
    PERFORM vigie.retain();
    COMMIT;
END $$;
CALL t.turn(); CALL t.turn(); CALL t.turn();
SELECT is((SELECT floor_seq FROM vigie.ring), 0::bigint, 'seven turns: all there');
CALL t.turn();
SELECT is((SELECT floor_seq FROM vigie.ring), 2::bigint, 'the eighth takes the oldest slot, the floor tells');
SELECT is((SELECT min(seq) FROM vigie.pull(0, 100)), 3::bigint, 'a pull from before starts at the floor');
SELECT results_eq($$ SELECT seq, floor_seq FROM vigie.replay('1', 0, 10) $$,
    $$ VALUES (NULL::bigint, 2::bigint) $$, 'a replay says what it cannot have');
SELECT is((SELECT floor_seq FROM vigie.hello()), 2::bigint, 'and so does hello');
SELECT is((SELECT feed_rows FROM vigie.status()), 5::bigint, 'rows there are');

-- Early, when the feed is too large
UPDATE vigie.config SET value = '1048576' WHERE name = 'feed_max_bytes';
SELECT t.emit(array_fill('4'::text, ARRAY[1000]));
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT is((SELECT floor_seq FROM vigie.ring) > 2, true, 'a feed above feed_max_bytes turns early');

-- Another session is at it
SELECT t.run('a', 'BEGIN'), t.ask('a', 'SELECT one FROM vigie.sequencer FOR UPDATE');
SELECT is(vigie.retain(), 'busy', 'one at a time');
SELECT t.run('a', 'ROLLBACK');

-- A slot of the feed that a reader holds
SELECT t.run('a', 'BEGIN'), t.ask('a', 'SELECT count(*) FROM vigie.feed');
CALL t.age();
SELECT matches(vigie.retain(), 'feed_\d locked', 'a slot that somebody reads waits for the next turn');
SELECT t.run('a', 'ROLLBACK');

-- Losses are compacted, and bounded when nobody compacts
SELECT vigie.note_loss('e:one', 'why'), vigie.note_loss('e:one', 'why', 4), vigie.note_loss(NULL, NULL);
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT results_eq('SELECT event, reason, count FROM vigie.lost ORDER BY 1',
    $$ VALUES ('*', 'unknown', 1::bigint), ('e:one', 'why', 5) $$, 'losses are summed up');
SELECT setval('vigie.loss_limit', last_value) FROM vigie.loss_id;
SELECT vigie.note_loss('e:one', 'why'), vigie.note_loss('e:one', 'why');
SELECT is((SELECT lost_events FROM vigie.status()), 8::bigint, 'beyond the limit only the counter counts');
DO $$ BEGIN PERFORM vigie.retain(); END $$;
SELECT is((SELECT count FROM vigie.lost WHERE reason LIKE 'too many%'), 2::bigint, 'and is booked later');
SELECT * FROM finish();
