-- The log goes on elsewhere: another cluster, another timeline, a clone.
\ir helper/session.sql
SELECT plan(17);
SET client_min_messages = error;

-- This database is a clone already (createdb -T), nobody has said hello yet.
SELECT isnt((SELECT origin FROM vigie.tick ORDER BY tick_id DESC LIMIT 1), vigie.origin(),
            'a clone has another origin');
CREATE TEMP TABLE first AS SELECT * FROM vigie.hello();
SELECT is((SELECT origin FROM vigie.tick ORDER BY tick_id DESC LIMIT 1), vigie.origin(),
          'hello() starts its log anew');
SELECT is((SELECT schema_version FROM first), 1, 'schema version');
SELECT is((SELECT octet_length(cursor_key) FROM first), 32, 'the key has 32 bytes');
SELECT matches((SELECT epoch FROM first), '^[0-9a-f]{16}$', 'the epoch says nothing');
SELECT is((SELECT server_version_num FROM first), current_setting('server_version_num')::int, 'version');
SELECT is((SELECT in_recovery FROM first), false, 'no standby');
SELECT results_eq('SELECT * FROM vigie.hello()', 'SELECT * FROM first', 'the same each time');
SELECT is((SELECT count(*) FROM vigie.tick), 2::bigint, 'nothing more to do');

-- As after a restore from a cluster that was far ahead: ids of transactions of the future
SELECT t.emit(ARRAY['1', '2']);
SELECT vigie.advance();
SELECT t.emit(ARRAY['3']);
BEGIN;
UPDATE vigie.outbox SET xid = (xid::text::bigint + 1000000)::text::xid8;
UPDATE vigie.tick SET origin = 'elsewhere', snap = '5000000:5000000:', prev = '5000000:5000000:';
COMMIT;
SELECT t.emit(ARRAY['4']);
SELECT vigie.hello();
SELECT is((SELECT array_agg(company ORDER BY seq) FROM vigie.pull(0, 100)), ARRAY['1', '2', '3', '4'],
          'what was waiting and what came since are sequenced, once');
SELECT is((SELECT count(*) FROM vigie.outbox), 0::bigint, 'no foreign transaction id stays');
SELECT t.emit(ARRAY['5']);
SELECT is((SELECT company FROM vigie.pull(4, 100)), '5', 'and the log goes on');

-- retain() notices too
UPDATE vigie.tick SET origin = 'elsewhere', snap = '5000000:5000000:', prev = '5000000:5000000:';
SELECT t.emit(ARRAY['6']);
SELECT is(vigie.retain(), 'ok', 'retain() after a restore');
SELECT is((SELECT company FROM vigie.pull(5, 100)), '6', 'the log goes on');

-- The epoch
SELECT vigie.new_epoch();
SELECT isnt((SELECT epoch FROM vigie.hello()), (SELECT epoch FROM first), 'new_epoch() changes the epoch');
SELECT is((SELECT cursor_key FROM vigie.hello()), (SELECT cursor_key FROM first), 'not the key');
CREATE OR REPLACE FUNCTION vigie.origin() RETURNS text LANGUAGE sql AS $$ SELECT 'elsewhere' $$;
CREATE TEMP TABLE second AS SELECT * FROM vigie.hello();
CREATE OR REPLACE FUNCTION vigie.origin() RETURNS text LANGUAGE sql AS $$ SELECT 'somewhere' $$;
SELECT isnt((SELECT epoch FROM vigie.hello()), (SELECT epoch FROM second),
            'another origin changes the epoch');
SELECT * FROM finish();
