-- Promise 4 again, from other sessions: what breaks in the middle of a transaction, what is locked, what the session
-- of the business has set. The write is kept, and nobody waits.
\ir helper/session.sql
SELECT plan(130);
SET statement_timeout = '60s';
GRANT ALL ON SCHEMA public, t TO business;
GRANT ALL ON ALL TABLES IN SCHEMA public TO business;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO business;
CREATE SEQUENCE t.n;
GRANT ALL ON SEQUENCE t.n TO business;
CREATE FUNCTION t.lost(reason_like text DEFAULT '%') RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(count), 0)::bigint FROM vigie.lost WHERE reason LIKE reason_like
$$;

-- One insert (statement trigger) and one update (row trigger) of the business: events devis:created and devis:signed.
CREATE FUNCTION t.insert_devis() RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (1, 1, 'w' || nextval('t.n'), 5)
$$;
CREATE FUNCTION t.sign_devis() RETURNS void LANGUAGE sql AS $$
    UPDATE public.devis SET status = CASE status WHEN 'signed' THEN 'sent' ELSE 'signed' END WHERE id = 1;
    UPDATE public.devis SET status = CASE status WHEN 'signed' THEN 'sent' ELSE 'signed' END WHERE id = 1;
$$;
CREATE FUNCTION t.both() RETURNS void LANGUAGE sql AS $$ SELECT t.insert_devis(), t.sign_devis() $$;
SELECT t.open('writer', 'business'), t.open('dba');
SELECT t.run('writer', 'SET client_min_messages = error'), t.run('dba', 'SET client_min_messages = error');

-- What a session did, as "kept" or its error, and what that published and lost.
CREATE FUNCTION t.outcome(before_rows bigint, before_events bigint, before_lost bigint, error text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ', coalesce('FAILED ' || error, (SELECT count(*) FROM public.devis) - before_rows || ' kept'),
                     (SELECT count(*) FROM vigie.outbox) - before_events || ' published', t.lost() - before_lost || ' lost')
$$;

-- Broken between two statements of a transaction.
CREATE FUNCTION t.midway(breakage text, repair text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows bigint := (SELECT count(*) FROM public.devis);
    events bigint := (SELECT count(*) FROM vigie.outbox);
    lost bigint := t.lost();
    error text;
BEGIN
    BEGIN
        PERFORM t.run('writer', 'BEGIN'), t.run('writer', 'SELECT t.both()');
        PERFORM t.run('dba', breakage);
        PERFORM t.run('writer', 'SELECT t.insert_devis()'), t.run('writer', 'SELECT t.sign_devis()'), t.run('writer', 'COMMIT');
    EXCEPTION WHEN OTHERS THEN
        error := SQLERRM;
        PERFORM t.run('writer', 'ROLLBACK');
    END;
    PERFORM t.run('dba', repair);
    RETURN t.outcome(rows, events, lost, error);
END $$;

SELECT is(t.midway('SELECT 1', 'SELECT 1'), '2 kept, 4 published, 0 lost', 'nothing happens midway: all is published');
SELECT is(t.midway('REVOKE INSERT ON vigie.outbox FROM vigie_owner', 'GRANT INSERT ON vigie.outbox TO vigie_owner'), '2 kept, 2 published, 2 lost', 'midway the outbox may not be written any more');
SELECT is(t.midway('REVOKE SELECT ON vigie.gate FROM vigie_owner', 'GRANT SELECT ON vigie.gate TO vigie_owner'), '2 kept, 2 published, 2 lost', 'nor the gate read, and the losses are counted without it');
SELECT is(t.midway('REVOKE ALL ON SEQUENCE vigie.outbox_id FROM vigie_owner', 'GRANT ALL ON SEQUENCE vigie.outbox_id TO vigie_owner'), '2 kept, 2 published, 2 lost', 'nor ids taken');
SELECT is(t.midway('REVOKE EXECUTE ON FUNCTION vigie.append(text, text, vigie.item[]) FROM vigie_owner', 'GRANT EXECUTE ON FUNCTION vigie.append(text, text, vigie.item[]) TO vigie_owner'), '2 kept, 2 published, 2 lost', 'nor append() called');
SELECT is(t.midway('REVOKE EXECUTE ON FUNCTION vigie.emit(text, text, vigie.item[]) FROM vigie_owner', 'GRANT EXECUTE ON FUNCTION vigie.emit(text, text, vigie.item[]) TO vigie_owner'), '2 kept, 2 published, 2 lost', 'nor emit()');
SELECT is(t.midway('REVOKE EXECUTE ON FUNCTION vigie.flaw(text, text[], json, int) FROM vigie_owner', 'GRANT EXECUTE ON FUNCTION vigie.flaw(text, text[], json, int) TO vigie_owner'), '2 kept, 2 published, 2 lost', 'nor flaw()');
SELECT is(t.midway('REVOKE USAGE ON SCHEMA vigie FROM vigie_owner', 'GRANT USAGE ON SCHEMA vigie TO vigie_owner'), '2 kept, 2 published, 0 lost', 'nor the schema used');
SELECT is(t.midway('REVOKE SELECT (name) ON public.clients FROM vigie_owner', 'GRANT SELECT (name) ON public.clients TO vigie_owner'), '2 kept, 2 published, 2 lost', 'nor the lookup read');
CREATE TABLE t.gate AS SELECT * FROM vigie.gate;
SELECT is(t.midway('DELETE FROM vigie.gate', 'INSERT INTO vigie.gate SELECT * FROM t.gate'), '2 kept, 2 published, 2 lost', 'midway the gate is emptied');
SELECT is(t.midway('ALTER FUNCTION vigie.append(text, text, vigie.item[]) RENAME TO gone', 'ALTER FUNCTION vigie.gone(text, text, vigie.item[]) RENAME TO append'), '2 kept, 2 published, 2 lost', 'append() is gone');
SELECT is(t.midway('ALTER FUNCTION vigie.emit(text, text, vigie.item[]) RENAME TO gone', 'ALTER FUNCTION vigie.gone(text, text, vigie.item[]) RENAME TO emit'), '2 kept, 2 published, 2 lost', 'emit() is gone');
SELECT is(t.midway('ALTER FUNCTION vigie.flaw(text, text[], json, int) RENAME TO gone', 'ALTER FUNCTION vigie.gone(text, text[], json, int) RENAME TO flaw'), '2 kept, 2 published, 2 lost', 'flaw() is gone');
SELECT is(t.midway('ALTER TYPE vigie.item RENAME TO gone', 'ALTER TYPE vigie.gone RENAME TO item'), '2 kept, 4 published, 0 lost', 'the type of an item has another name, plans know it');
SELECT is(t.midway('ALTER SCHEMA vigie RENAME TO gone', 'ALTER SCHEMA gone RENAME TO vigie'), '2 kept, 2 published, 0 lost', 'the schema has another name');
SELECT is(t.midway('ALTER SCHEMA vigie OWNER TO postgres', 'ALTER SCHEMA vigie OWNER TO vigie_owner'), '2 kept, 2 published, 0 lost', 'the schema is somebody else''s');
SELECT is(t.midway('CREATE OR REPLACE FUNCTION vigie.may_ring(bell text) RETURNS boolean LANGUAGE plpgsql STABLE AS $f$ BEGIN ASSERT false; END $f$', 'SELECT 1'), '2 kept, 4 published, 0 lost', 'a function of ours that asserts what is not so, and is not called');
SELECT is(t.midway('CREATE OR REPLACE FUNCTION vigie.longest(names text[]) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN ASSERT false; END $f$; '
                   'CREATE OR REPLACE FUNCTION vigie.flaw(company text, rooms text[], payload json, max_bytes int) RETURNS text LANGUAGE sql AS $f$ SELECT vigie.longest(rooms)::text $f$', 'SELECT 1'),
          '2 kept, 2 published, 2 lost', 'and one that is: an assertion is caught, though OTHERS does not name it');
SET search_path = public;
\o /dev/null
\ir ../../sql/vigie/may_ring.sql
\ir ../../sql/vigie/longest.sql
\ir ../../sql/vigie/flaw.sql
\o
SELECT is(t.midway('SELECT 1', 'SELECT 1'), '2 kept, 4 published, 0 lost', 'mended: all is published again');

-- Broken before; the functions are compiled by a session that has never run them.
CREATE FUNCTION t.broken(breakage text, writes text[] DEFAULT ARRAY['SELECT t.both()', 'SELECT t.both()']) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    write text;
    error text;
    kept bigint;
    lost text;
BEGIN
    PERFORM t.open('fresh');
    PERFORM t.run('fresh', 'SET client_min_messages = error'), t.run('fresh', 'BEGIN'), t.run('fresh', 'CREATE TABLE t.before AS SELECT count(*) AS n, t.lost() AS lost FROM public.devis');
    BEGIN
        PERFORM t.run('fresh', breakage);
        FOREACH write IN ARRAY writes LOOP
            PERFORM t.run('fresh', write);
        END LOOP;
        kept := t.ask('fresh', 'SELECT (SELECT count(*) FROM public.devis) - n FROM t.before');
        IF t.ask('fresh', 'to_regclass(''vigie.lost'')') IS NOT NULL THEN
            lost := t.ask('fresh', 'SELECT t.lost() - lost FROM t.before');
        END IF;
    EXCEPTION WHEN OTHERS THEN
        error := SQLERRM;
    END;
    PERFORM t.run('fresh', 'ROLLBACK');
    PERFORM dblink_disconnect('fresh');
    RETURN coalesce('FAILED ' || error, kept || ' kept, ' || coalesce(lost, '?') || ' lost');
END $$;
SELECT is(t.broken('SELECT 1'), '2 kept, 0 lost', 'whole: nothing is lost');
SELECT is(t.broken('DROP SCHEMA vigie CASCADE'), '2 kept, ? lost', 'the whole schema is dropped');
SELECT is(t.broken('ALTER SCHEMA vigie RENAME TO gone'), '2 kept, ? lost', 'or renamed');
SELECT is(t.broken('DROP SCHEMA vigie, vigie_gen CASCADE'), '2 kept, ? lost', 'or both, and the triggers with them');
SELECT is(t.broken('DROP TYPE vigie.item CASCADE'), '2 kept, 4 lost', 'the type of an item');
SELECT is(t.broken('DROP OWNED BY vigie_owner CASCADE'), '2 kept, ? lost', 'all that vigie_owner owns');
SELECT is(t.broken('REASSIGN OWNED BY vigie_owner TO vigie_bridge'), '2 kept, 4 lost', 'all of it is somebody else''s');
SELECT is(t.broken('DROP TABLE vigie.outbox_0'), '2 kept, 4 lost', 'no partition');
SELECT is(t.broken('DROP TABLE vigie.outbox'), '2 kept, 4 lost', 'no outbox');
SELECT is(t.broken('DROP SEQUENCE vigie.outbox_id CASCADE'), '2 kept, 4 lost', 'no sequence');
SELECT is(t.broken('ALTER SEQUENCE vigie.outbox_id MAXVALUE 1000000 RESTART 1000000; DO $d$ BEGIN PERFORM nextval(''vigie.outbox_id''); END $d$'), '2 kept, 4 lost', 'a sequence that has no ids left');
SELECT is(t.broken('DELETE FROM vigie.gate'), '2 kept, 4 lost', 'no gate');
SELECT is(t.broken('TRUNCATE vigie.gate, vigie.ring, vigie.config, vigie.secret, vigie.tick, vigie.sequencer'), '2 kept, 4 lost', 'no row anywhere');
SELECT is(t.broken('ALTER TABLE vigie.outbox DROP COLUMN rooms'), '2 kept, 4 lost', 'no column');
SELECT is(t.broken('ALTER TABLE vigie.outbox ALTER company TYPE int USING 1'), '2 kept, 4 lost', 'a column of another type');
SELECT is(t.broken('ALTER TABLE vigie.outbox ADD CHECK (company = ''x'') NOT VALID'), '2 kept, 4 lost', 'a constraint of somebody else');
SELECT is(t.broken('CREATE RULE r AS ON INSERT TO vigie.outbox DO INSTEAD NOTHING'), '2 kept, 4 lost', 'a rule of somebody else');
SELECT is(t.broken('ALTER TABLE vigie.outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'), '2 kept, 4 lost', 'row-level security on the outbox');
SELECT is(t.broken('DROP FUNCTION vigie.append(text, text, vigie.item[])'), '2 kept, 4 lost', 'no append()');
SELECT is(t.broken('DROP FUNCTION vigie.flaw(text, text[], json, int)'), '2 kept, 4 lost', 'no flaw()');
SELECT is(t.broken('DROP SEQUENCE vigie.outbox_id CASCADE; DROP SEQUENCE vigie.loss_id'), '2 kept, 0 lost', 'nor any counter: a warning');
SELECT is(t.broken('DROP SEQUENCE vigie.outbox_id CASCADE; DROP TABLE vigie.loss CASCADE'), '2 kept, ? lost', 'nor any table of losses: a warning');
SELECT is(t.broken('DROP SEQUENCE vigie.outbox_id CASCADE; DROP FUNCTION vigie.note_loss(text, text, bigint)'), '2 kept, 0 lost', 'nor note_loss(): a warning');

-- on_error raise: the rule's own errors fail the write, as asked; ours do not
CREATE TABLE t.asset (id int, company_id int, n int);
SELECT count(*) FROM vigie.publish('asset:any', 't.asset', 'insert, update, delete', 'rec.id, 1 / rec.n AS share', 'company:{company_id}', on_error => 'raise') \g /dev/null
SELECT count(*) FROM vigie.publish('asset:row', 't.asset', 'insert, update, delete', 'rec.id, 1 / rec.n AS share', 'company:{company_id}', mode => 'row', on_error => 'raise') \g /dev/null
CREATE FUNCTION t.asset(n int DEFAULT 1) RETURNS void LANGUAGE sql AS $$
    INSERT INTO t.asset VALUES (1, 1, n); UPDATE t.asset SET id = 2; DELETE FROM t.asset
$$;
SELECT lives_ok('SELECT t.asset()', 'raise: all is well');
SELECT results_eq($$ SELECT event, count(*), min(payload::text) FROM vigie.outbox WHERE event LIKE 'asset%' GROUP BY 1 ORDER BY 1 $$,
    $$ VALUES ('asset:any', 3::bigint, '{"id":1,"share":1}'), ('asset:row', 3, '{"id":1,"share":1}') $$, 'raise: each operation is published, by statement and by row triggers');
SELECT throws_ok('SELECT t.asset(0)', '22012', NULL, 'raise: an error of the rule fails the write');
SELECT is(t.broken('DROP SCHEMA vigie CASCADE', ARRAY['SELECT t.asset()']), '0 kept, ? lost', 'raise: the schema is dropped, the write is kept');
SELECT is(t.broken('REVOKE INSERT ON vigie.outbox FROM vigie_owner', ARRAY['SELECT t.asset()']), '0 kept, 6 lost', 'raise: the outbox cannot be written, the write is kept');
SELECT is(t.broken('DROP TYPE vigie.item CASCADE', ARRAY['SELECT t.asset()']), '0 kept, 6 lost', 'raise: no type of an item');
INSERT INTO t.asset VALUES (1, 1, 1);
ALTER TABLE t.asset ALTER n TYPE bigint;
SELECT lives_ok('UPDATE t.asset SET id = 5', 'raise: an old plan is made afresh');
SELECT is((SELECT count(*) FROM vigie.outbox WHERE event = 'asset:row' AND payload->>'id' = '5'), 1::bigint, 'and publishes');
SELECT vigie.unpublish('asset:any'), vigie.unpublish('asset:row') \g /dev/null

-- A registered function that asserts
CREATE FUNCTION public.picky(n numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN ASSERT n <> 13, 'thirteen'; RETURN n; END $$;
SELECT vigie.allow_function('public.picky(numeric)', 'test') \g /dev/null
SELECT count(*) FROM vigie.publish('devis:picky', 'public.devis', 'insert, update', 'rec.id, public.picky(rec.amount) AS n', 'company:{company_id}') \g /dev/null
SELECT lives_ok($$ SELECT t.run('writer', 'INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (1, 1, ''p1'', 13)') $$, 'an assertion in a registered function fails no insert');
SELECT lives_ok($$ SELECT t.run('writer', 'UPDATE public.devis SET amount = 13 WHERE id = 1') $$, 'nor an update');
SELECT is(t.lost('P0004 thirteen'), 2::bigint, 'and is counted');

-- A WARNING that the client's encoding has no characters for would be an ERROR
SELECT count(*) FROM vigie.publish('devis:picky', 'public.devis', 'insert, update', 'rec.id, rec.notes::int AS n', 'company:{company_id}') \g /dev/null
SELECT t.run('writer', 'SET client_encoding = ''LATIN1'''), t.run('writer', 'SET client_min_messages = warning');
SELECT lives_ok($$ SELECT t.run('writer', 'INSERT INTO public.devis (company_id, client_id, number, amount, notes) VALUES (1, 1, ''p2'', 13, chr(8364))') $$, 'a warning that quotes a euro sign to a Latin-1 client: insert');
SELECT lives_ok($$ SELECT t.run('writer', 'UPDATE public.devis SET notes = chr(8364) WHERE id = 1') $$, 'and update');
SELECT is(t.lost('22P02%€%'), 2::bigint, 'both counted, with the euro sign');
SELECT is(t.broken('SET client_encoding = ''LATIN1''; SET client_min_messages = warning; DROP FUNCTION vigie.note_loss(text, text, bigint)', ARRAY['UPDATE public.devis SET notes = chr(8364) WHERE id = 2']), '0 kept, 0 lost', 'also when nothing can be counted');
SELECT is(t.broken('ALTER TABLE vigie.loss ADD COLUMN "€" int NOT NULL DEFAULT 0; ALTER TABLE vigie.loss ALTER COLUMN "€" DROP DEFAULT; SET client_encoding = ''LATIN1''; SET client_min_messages = warning', ARRAY['UPDATE public.devis SET notes = chr(8364) WHERE id = 2']), '0 kept, 0 lost', 'also when the table of losses is in the way');
SELECT t.run('writer', 'RESET client_encoding'), t.run('writer', 'SET client_min_messages = error');

-- One warning a transaction and event, not one a row
SELECT t.run('writer', 'BEGIN'), t.run('writer', 'UPDATE public.devis SET notes = ''x'' WHERE company_id = 1');
SELECT ok(t.ask('writer', 'current_setting(''vigie.warned'')') LIKE '% devis:picky', 'a bulk write is warned once');
SELECT t.run('writer', 'COMMIT'), vigie.unpublish('devis:picky');

-- Somebody locks what we need. Bounded, once a transaction, and the setting of the business is as it was.
CREATE FUNCTION t.locked(lock text, write text, times int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows bigint := t.ask('dba', 'SELECT count(*) FROM public.devis'); -- not in this transaction: it would hold locks
    events bigint := t.ask('dba', 'SELECT count(*) FROM vigie.outbox');
    lost bigint := t.ask('dba', 't.lost()');
    began timestamptz;
    took interval;
    error text;
    kept_setting text;
BEGIN
    PERFORM t.run('dba', 'BEGIN'), t.run('dba', lock);
    BEGIN
        began := clock_timestamp();
        PERFORM t.run('writer', 'SET statement_timeout = ''20s'''), t.run('writer', 'SET lock_timeout = ''19s'''), t.run('writer', 'BEGIN');
        PERFORM t.run('writer', write) FROM generate_series(1, times);
        kept_setting := t.ask('writer', 'current_setting(''lock_timeout'')');
        PERFORM t.run('writer', 'COMMIT');
        took := clock_timestamp() - began;
    EXCEPTION WHEN OTHERS THEN
        error := SQLERRM;
        PERFORM t.run('writer', 'ROLLBACK');
    END;
    PERFORM t.run('dba', 'COMMIT'), t.run('writer', 'RESET statement_timeout'), t.run('writer', 'RESET lock_timeout');
    RETURN concat_ws(', ', t.outcome(rows, events, lost, error), 'setting ' || kept_setting, CASE WHEN took > '2 s' THEN 'took ' || took END);
END $$;
SELECT is(t.locked('LOCK TABLE vigie.config IN ACCESS EXCLUSIVE MODE', 'SELECT t.both()', 30), '30 kept, 60 published, 0 lost, setting 19s', 'what writers do not need may be locked');
SELECT is(t.locked('LOCK TABLE vigie.outbox_0 IN ACCESS EXCLUSIVE MODE', 'SELECT t.both()', 30), '30 kept, 0 published, 60 lost, setting 19s', 'a locked slot of the outbox holds a transaction up for a moment, once');
SELECT is(t.locked('LOCK TABLE vigie.outbox IN ACCESS EXCLUSIVE MODE', 'SELECT t.both()', 30), '30 kept, 0 published, 60 lost, setting 19s', 'the outbox');
SELECT is(t.locked('LOCK TABLE vigie.gate IN ACCESS EXCLUSIVE MODE', 'SELECT t.both()', 30), '30 kept, 0 published, 60 lost, setting 19s', 'the gate');
SELECT is(t.locked('LOCK TABLE vigie.outbox, vigie.loss IN ACCESS EXCLUSIVE MODE', 'SELECT t.both()', 30), '30 kept, 0 published, 0 lost, setting 19s', 'the table of losses too');
SELECT is(t.locked('LOCK TABLE public.clients IN ACCESS EXCLUSIVE MODE', 'UPDATE public.devis SET status = ''signed'' WHERE id = (SELECT min(id) FROM public.devis WHERE status = ''sent'')', 20), '0 kept, 0 published, 20 lost, setting 19s', 'a looked-up table that the business itself does not need');
CREATE FUNCTION t.cancelled(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM t.run('writer', statement);
    RETURN 'kept';
EXCEPTION WHEN query_canceled THEN
    RETURN 'cancelled';
END $$;
SELECT t.run('dba', 'BEGIN'), t.run('dba', 'LOCK TABLE vigie.outbox IN ACCESS EXCLUSIVE MODE'), t.run('writer', 'SET statement_timeout = ''30ms''');
SELECT is(t.cancelled('SELECT t.sign_devis()'), 'cancelled', 'statement_timeout stays the business''s: it cancels the statement, us included');
SELECT t.run('dba', 'COMMIT'), t.run('writer', 'RESET statement_timeout');
SELECT is(t.locked('SELECT 1', 'SELECT t.both()', 1), '1 kept, 2 published, 0 lost, setting 19s', 'afterwards all is published again');

-- Settings of the business session, each in a session that has never run the triggers
CREATE FUNCTION t.with_setting(setting text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows bigint := (SELECT count(*) FROM public.devis);
    events bigint := (SELECT count(*) FROM vigie.outbox);
    lost bigint := t.lost();
    error text;
BEGIN
    PERFORM t.open('fresh', 'business');
    BEGIN
        PERFORM t.run('fresh', 'SET ' || setting);
        PERFORM t.run('fresh', $w$ INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (1, 1, 'w' || nextval('t.n'), 5) $w$);
        PERFORM t.run('fresh', $w$ UPDATE public.devis SET status = 'signed' WHERE id = (SELECT max(id) FROM public.devis) $w$);
    EXCEPTION WHEN OTHERS THEN
        error := SQLERRM;
    END;
    PERFORM dblink_disconnect('fresh');
    RETURN t.outcome(rows, events, lost, error);
END $$;
SELECT is(t.with_setting(setting), '1 kept, 2 published, 0 lost', setting)
  FROM unnest(ARRAY['plpgsql.extra_errors = ''all''', 'standard_conforming_strings = off',
    'search_path = pg_temp, public', 'search_path = ''''', 'quote_all_identifiers = on', 'row_security = off', 'default_transaction_isolation = serializable',
    'default_transaction_isolation = ''repeatable read''', 'default_transaction_deferrable = on', 'enable_indexscan = off', 'enable_nestloop = off', 'jit_above_cost = 0', 'force_parallel_mode = on',
    'plan_cache_mode = force_generic_plan', 'plan_cache_mode = force_custom_plan', 'transform_null_equals = on', 'array_nulls = off', 'DateStyle = ''SQL, DMY''', 'xmloption = document',
    'work_mem = 64', 'client_encoding = ''SQL_ASCII''', 'synchronous_commit = off', 'lock_timeout = 1', 'vigie.gave_up = 7', 'vigie.lock_timeout = nonsense', 'vigie.warned = x', 'vigie.uncounted = x',
    'check_function_bodies = off', 'default_table_access_method = heap', 'constraint_exclusion = on', 'escape_string_warning = on', 'gin_pending_list_limit = 64',
    'row_security = on', 'statement_timeout = ''10s''']) AS setting
 WHERE setting NOT LIKE 'force_parallel%' OR current_setting('server_version_num')::int < 160000;
ALTER DATABASE vigie_test SET plpgsql.variable_conflict = 'error';
SELECT is(t.with_setting('search_path = public'), '1 kept, 2 published, 0 lost', 'plpgsql.variable_conflict of the database');
ALTER DATABASE vigie_test RESET plpgsql.variable_conflict;
SELECT is(t.with_setting('session_replication_role = replica'), 'FAILED permission denied to set parameter "session_replication_role", 0 published, 0 lost', 'the business may not switch triggers off');
ALTER TABLE public.clients ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON public.clients USING (true);
SELECT is(t.with_setting('row_security = ' || setting), '1 kept, 0 published, 2 lost', 'a looked-up table with policies loses the event, row_security ' || setting) FROM unnest(ARRAY['on', 'off']) AS setting;
SELECT ok(t.lost('42501%row-level security%') > 0, 'with the reason');
ALTER TABLE public.clients DISABLE ROW LEVEL SECURITY;
DROP POLICY everybody ON public.clients;

-- SERIALIZABLE: the log makes no transaction of the business depend on another, whatever it does itself meanwhile
SELECT t.open('other', 'business'), t.open('bridge', 'vigie_bridge');
SELECT t.run('writer', 'BEGIN ISOLATION LEVEL SERIALIZABLE'), t.run('other', 'BEGIN ISOLATION LEVEL SERIALIZABLE');
SELECT t.run('writer', 'INSERT INTO public.clients (company_id, name, type) VALUES (1, ''s1'', ''particulier'')');
SELECT t.ask('bridge', 'SELECT count(*) FROM vigie.pull(0, 10)'), t.ask('bridge', 'vigie.retain()'), t.ask('bridge', 'SELECT outbox_pending FROM vigie.status()') \g /dev/null
SELECT t.run('dba', 'BEGIN ISOLATION LEVEL SERIALIZABLE'), t.run('dba', 'UPDATE vigie.config SET value = ''20000'' WHERE name = ''max_payload_bytes'''), t.run('dba', 'COMMIT');
SELECT t.run('other', 'INSERT INTO public.clients (company_id, name, type) VALUES (2, ''s2'', ''particulier'')');
SELECT t.ask('bridge', 'vigie.retain()') \g /dev/null
SELECT t.run('writer', 'INSERT INTO public.clients (company_id, name, type) VALUES (1, ''s3'', ''particulier'')');
SELECT lives_ok($$ SELECT t.run('other', 'COMMIT') $$, 'a serializable transaction commits');
SELECT lives_ok($$ SELECT t.run('writer', 'COMMIT') $$, 'and so does the other');
SELECT is(t.ask('bridge', 'SELECT count(*) FROM vigie.pull(0, 10000) WHERE payload LIKE ''%"s_"%'''), '3', 'and the events are there');

-- Ways of writing: savepoints, cursors, ON CONFLICT, COPY, cascades, deferred constraints, two phases
CREATE FUNCTION t.does(VARIADIC statements text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    last_id bigint := (SELECT last_value FROM vigie.outbox_id);
    lost bigint := t.lost();
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        PERFORM t.run('writer', statement);
    END LOOP;
    RETURN concat_ws(', ', coalesce((SELECT string_agg(o.event, ' ' ORDER BY o.id) FROM vigie.outbox o WHERE o.id > last_id), 'silence'),
                     nullif(t.lost() - lost, 0) || ' lost');
END $$;
SELECT is(t.does('BEGIN', 'SELECT t.insert_devis()', 'SAVEPOINT s', 'SELECT t.insert_devis()', 'ROLLBACK TO s', 'SELECT t.sign_devis()', 'RELEASE s', 'COMMIT'),
          'devis:created devis:signed', 'savepoints, rolled back and released');
SELECT is(t.does('BEGIN', 'DECLARE c CURSOR FOR SELECT FROM public.devis WHERE status = ''sent'' FOR UPDATE', 'MOVE c', 'UPDATE public.devis SET status = ''signed'' WHERE CURRENT OF c', 'COMMIT'),
          'devis:signed', 'WHERE CURRENT OF a cursor');
SELECT is(t.does($$ INSERT INTO public.devis (company_id, client_id, number, amount) SELECT company_id, client_id, number, amount FROM public.devis WHERE id IN (1, 2) ON CONFLICT (company_id, number) DO UPDATE SET status = 'rejected', reason = 'x' $$),
          'devis:rejected devis:rejected', 'ON CONFLICT DO UPDATE');
SELECT is(t.does('INSERT INTO public.devis SELECT * FROM public.devis WHERE id < 5 ON CONFLICT DO NOTHING'), 'silence', 'ON CONFLICT DO NOTHING');
SELECT is(t.does(format('COPY public.clients (company_id, name, type) FROM PROGRAM %L', 'printf ''1\tcopied\tparticulier\n''')), 'client:created', 'COPY')
  FROM (SELECT t.run('dba', 'GRANT pg_execute_server_program TO business')) AS granted;
SELECT is(t.does('BEGIN', 'SET CONSTRAINTS ALL DEFERRED', 'SELECT t.insert_devis()', 'SET CONSTRAINTS ALL IMMEDIATE', 'COMMIT'), 'devis:created', 'deferred constraints');
SELECT is(t.does('BEGIN', 'SELECT t.insert_devis()', 'PREPARE TRANSACTION ''two''', 'COMMIT PREPARED ''two'''), 'devis:created', 'two phases');
CREATE TABLE t.parent (id int PRIMARY KEY);
CREATE TABLE t.child (id int, company_id int, parent_id int REFERENCES t.parent ON DELETE CASCADE ON UPDATE CASCADE);
GRANT ALL ON t.parent, t.child TO business;
SELECT count(*) FROM vigie.publish('child:moved', 't.child', 'update', 'rec.id', 'company:{company_id}', changes => 'parent_id') \g /dev/null
SELECT count(*) FROM vigie.publish('child:gone', 't.child', 'delete', 'rec.id', 'company:{company_id}') \g /dev/null
INSERT INTO t.parent VALUES (1), (2);
INSERT INTO t.child VALUES (1, 1, 1), (2, 1, 1);
SELECT is(t.does('UPDATE t.parent SET id = 3 WHERE id = 1'), 'child:moved child:moved', 'ON UPDATE CASCADE');
SELECT is(t.does('DELETE FROM t.parent WHERE id = 3'), 'child:gone child:gone', 'ON DELETE CASCADE');
SELECT is(t.does('TRUNCATE t.child'), 'silence', 'TRUNCATE');
SELECT CASE WHEN current_setting('server_version_num')::int < 150000 THEN pass('MERGE came with PostgreSQL 15')
    ELSE is(t.does($$ MERGE INTO public.devis d USING (VALUES (1, 'signed'), (-1, 'sent')) AS v (id, status) ON d.id = v.id
        WHEN MATCHED THEN UPDATE SET status = v.status WHEN NOT MATCHED THEN INSERT (company_id, client_id, number, amount) VALUES (1, 1, 'merged', 5) $$), 'devis:signed devis:created', 'MERGE') END;

-- A business role that may make temporary objects fools nobody
SELECT is(t.does('CREATE TEMP TABLE clients (id int, company_id int, name text)', 'CREATE TEMP TABLE vigie_new (id int, company_id int, client_id int, amount numeric)',
                 'CREATE TEMP TABLE rec (id int)', 'CREATE TEMP TABLE new (id int)', 'CREATE TEMP TABLE vigie_event (company text)', 'CREATE TYPE pg_temp.item AS (company text)', 'CREATE DOMAIN pg_temp.text AS int',
                 'CREATE FUNCTION pg_temp.array_remove(pg_catalog.text[], pg_catalog.text) RETURNS pg_catalog.text[] LANGUAGE plpgsql AS $f$ BEGIN RETURN ''{company:forged}''; END $f$', 'INSERT INTO pg_temp.clients SELECT 1, 1, ''forged''',
                 'INSERT INTO pg_temp.vigie_new SELECT 1, 2, 1, 1', 'INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (1, 1, ''t1'', 5)', 'SELECT t.sign_devis()'),
          'devis:created devis:signed', 'temporary objects in the way');
SELECT is_empty($$ SELECT payload FROM vigie.outbox WHERE payload::text LIKE '%forged%' OR company <> '1' AND payload::text LIKE '%t1%' $$, 'change nothing of what is published');
SELECT throws_ok($$ SELECT t.run('writer', 'CREATE TRIGGER x AFTER INSERT ON pg_temp.clients REFERENCING NEW TABLE AS vigie_new FOR EACH STATEMENT EXECUTE FUNCTION vigie_gen."client:created/insert"()') $$,
    '42501', NULL, 'nobody puts a generated function on a table of his own');
SELECT throws_ok($$ SELECT t.run('writer', 'SELECT vigie.note_loss(''x'', ''y'')') $$, '42501', NULL, 'nor counts losses');
SELECT is(t.does('SET vigie.mute = on', 'SELECT t.both()', 'RESET vigie.mute'), 'silence', 'a session may mute itself, as documented');

-- A wrong key carries no name across companies
SELECT is(t.does('BEGIN', 'INSERT INTO public.devis (company_id, client_id, number, amount) SELECT 1, min(id), ''x1'', 5 FROM public.clients WHERE company_id = 2', 'COMMIT'), 'devis:created', 'a client of another company');
SELECT is((SELECT payload->>'clientName' FROM vigie.outbox ORDER BY id DESC LIMIT 1), NULL, 'gives no name');
-- A statement of many rows: a thousand at a time, in their order, so that memory is bounded
SELECT count(*) FROM vigie.publish('devis:many', 'public.devis', 'insert', 'rec.id AS payload', 'company:{company_id}') \g /dev/null
SELECT last_value AS mark FROM vigie.outbox_id \gset
SELECT t.run('writer', 'INSERT INTO public.devis (company_id, client_id, number, amount) SELECT 1, 1, ''many'' || n, 5 FROM generate_series(1, 2500) n') \g /dev/null
SELECT is(count(*), 2500::bigint, 'an insert of 2,500 rows publishes each') FROM vigie.outbox WHERE event = 'devis:many' AND id > :mark;
SELECT is(count(*) FILTER (WHERE n <= before), 0::bigint, 'in their order')
  FROM (SELECT (payload->>'payload')::int AS n, lag((payload->>'payload')::int) OVER (ORDER BY id) AS before FROM vigie.outbox WHERE event = 'devis:many' AND id > :mark) AS o;
UPDATE vigie.config SET value = '0' WHERE name = 'outbox_quota_rows';
SELECT setval('vigie.outbox_limit', last_value + 2100) FROM vigie.outbox_id;
SELECT vigie.unpublish('devis:created') \g /dev/null
SELECT last_value AS mark FROM vigie.outbox_id \gset
SELECT t.run('writer', 'INSERT INTO public.devis (company_id, client_id, number, amount) SELECT 1, 1, ''over'' || n, 5 FROM generate_series(1, 5000) n') \g /dev/null
SELECT is(count(*), 3000::bigint, 'the quota is looked at between the thousands') FROM vigie.outbox WHERE event = 'devis:many' AND id > :mark;
UPDATE vigie.config SET value = '1000000' WHERE name = 'outbox_quota_rows';
SELECT vigie.unpublish('devis:many') \g /dev/null

SELECT * FROM finish();
