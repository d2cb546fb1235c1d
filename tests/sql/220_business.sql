-- Promise 4: whatever happens to a rule, the business write commits, and the loss is counted.
\ir helper/rules.sql
\ir helper/second.sql
SELECT plan(49);

-- Does the write, says whether it was kept and how many events were lost by it.
CREATE FUNCTION t.write(statement text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    lost bigint := (SELECT coalesce(sum(count), 0) FROM vigie.lost);
    written bigint := (SELECT count(*) FROM vigie.outbox);
    rows bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN format('%s written, %s published, %s lost', rows, (SELECT count(*) FROM vigie.outbox) - written,
                  (SELECT coalesce(sum(count), 0) FROM vigie.lost) - lost);
EXCEPTION WHEN OTHERS THEN
    RETURN format('FAILED %s %s', SQLSTATE, SQLERRM);
END $$;
CREATE FUNCTION t.insert_devis() RETURNS text LANGUAGE sql AS $$
    SELECT t.write('INSERT INTO public.devis (company_id, client_id, number, amount) SELECT 1, 1, ''n'' || nextval(''t.n''), 5 FROM generate_series(1, 2)', '')
$$;
CREATE FUNCTION t.sign_devis() RETURNS text LANGUAGE sql AS $$
    SELECT t.write('UPDATE public.devis SET status = ''signed'', updated_at = now() WHERE id IN (SELECT id FROM public.devis WHERE status = ''sent'' LIMIT 2)', '')
$$;
CREATE SEQUENCE t.n;

SELECT is(t.insert_devis(), '2 written, 2 published, 0 lost', 'all is well: inserts');
SELECT is(t.sign_devis(), '2 written, 2 published, 0 lost', 'all is well: updates');

-- The columns of the rule
BEGIN;
ALTER TABLE public.devis RENAME amount TO montant;
SELECT is(t.write('INSERT INTO public.devis (company_id, client_id, number, montant) VALUES (1, 1, ''r1'', 5), (1, 1, ''r2'', 6)', ''), '2 written, 0 published, 2 lost', 'renamed column: the write is kept, both events counted');
SELECT is(t.state('devis:created'), 'column missing: public.devis.amount', 'and the rule says so');
SELECT is(t.sign_devis(), '2 written, 2 published, 0 lost', 'a rule that does not read it goes on');
ROLLBACK;
BEGIN;
ALTER TABLE public.devis DROP COLUMN amount;
SELECT is(t.write('INSERT INTO public.devis (company_id, client_id, number) VALUES (1, 1, ''r1'')', ''), '1 written, 0 published, 1 lost', 'dropped column');
ROLLBACK;
BEGIN;
ALTER TABLE public.devis DROP COLUMN status;
SELECT is(t.write('UPDATE public.devis SET amount = 1 WHERE id = 1', ''), '1 written, 0 published, 2 lost', 'dropped column of two conditions');
ROLLBACK;
BEGIN;
ALTER TABLE public.devis ALTER number TYPE varchar(80), ALTER amount TYPE double precision;
SELECT is(t.insert_devis(), '2 written, 2 published, 0 lost', 'a column of another type is published on');
SELECT is(t.state('devis:created'), 'column type changed: public.devis.amount is double precision', 'and the rule says so');
ROLLBACK;
BEGIN;
ALTER TABLE public.devis DROP CONSTRAINT devis_status_check;
ALTER TABLE public.devis ALTER status DROP DEFAULT, ALTER status TYPE integer USING length(status);
SELECT is(t.write('UPDATE public.devis SET status = 7 WHERE id = 1', ''), '1 written, 0 published, 2 lost', 'a type that the condition cannot compare');
ROLLBACK;
BEGIN;
ALTER TABLE public.devis RENAME TO quotes;
SELECT is(t.write('INSERT INTO public.quotes (company_id, client_id, number, amount) VALUES (1, 1, ''r1'', 5)', ''), '1 written, 1 published, 0 lost', 'a renamed table publishes on');
SELECT is(t.state('devis:created'), 'table renamed: public.quotes', 'and the rule says so');
ROLLBACK;
BEGIN;
UPDATE public.clients SET company_id = company_id WHERE false;
ALTER TABLE public.devis ALTER company_id DROP NOT NULL;
SELECT is(t.write('INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (NULL, 1, ''r1'', 5)', ''), '1 written, 0 published, 1 lost', 'a row without company');
ROLLBACK;

-- What it looks up
BEGIN;
REVOKE SELECT (name) ON public.clients FROM vigie_owner;
SELECT is(t.insert_devis(), '2 written, 0 published, 2 lost', 'a revoked column privilege');
SELECT is(t.state('devis:created'), 'privilege missing: SELECT (name) on public.clients', 'and the rule says so');
ROLLBACK;
BEGIN;
ALTER TABLE public.clients RENAME TO customers;
SELECT is(t.sign_devis(), '2 written, 0 published, 2 lost', 'a renamed looked-up table');
ROLLBACK;
BEGIN;
DROP TABLE public.clients CASCADE;
SELECT is(t.sign_devis(), '2 written, 0 published, 2 lost', 'a dropped looked-up table');
SELECT is(t.state('devis:signed'), 'column missing: public.clients.company_id', 'and the rule says so');
ROLLBACK;

-- What is ours
BEGIN;
REVOKE EXECUTE ON FUNCTION vigie.emit(text, text, vigie.item[]) FROM vigie_owner;
SELECT is(t.insert_devis(), '2 written, 0 published, 2 lost', 'emit() revoked: statement trigger');
SELECT is(t.sign_devis(), '2 written, 0 published, 2 lost', 'emit() revoked: row trigger');
ROLLBACK;
BEGIN;
DROP FUNCTION vigie.emit(text, text, vigie.item[]);
SELECT is(t.sign_devis(), '2 written, 0 published, 2 lost', 'emit() dropped');
ROLLBACK;
BEGIN;
REVOKE EXECUTE ON FUNCTION vigie.append(text, text, vigie.item[]) FROM vigie_owner;
SELECT is(t.sign_devis(), '2 written, 0 published, 2 lost', 'append() revoked');
ROLLBACK;
BEGIN;
REVOKE EXECUTE ON FUNCTION vigie.note_loss(text, text, bigint) FROM vigie_owner;
ALTER TABLE public.devis RENAME amount TO montant;
SELECT is(t.write('INSERT INTO public.devis (company_id, client_id, number, montant) VALUES (1, 1, ''r1'', 5)', ''), '1 written, 0 published, 0 lost', 'not even the loss can be counted: the write is kept');
ROLLBACK;
BEGIN;
DROP SEQUENCE vigie.outbox_id CASCADE;
SELECT is(t.insert_devis(), '2 written, 0 published, 2 lost', 'a dropped sequence of ours');
ROLLBACK;
BEGIN;
DROP TABLE vigie.outbox CASCADE;
UPDATE public.devis SET status = 'rejected' WHERE id = 1;
SELECT is((SELECT status FROM public.devis WHERE id = 1), 'rejected', 'without an outbox the write is kept');
ROLLBACK;
BEGIN;
UPDATE vigie.config SET value = '10' WHERE name = 'max_payload_bytes';
SELECT is(t.insert_devis(), '2 written, 0 published, 2 lost', 'payloads above the ceiling');
ROLLBACK;
BEGIN;
ROLLBACK;

-- Policies of a looked-up table are its owner's code, and must never run as vigie_owner
CREATE TABLE public.spied (who name, reads_our_secret boolean);
GRANT INSERT ON public.spied TO PUBLIC;
CREATE FUNCTION public.spy() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.spied SELECT current_user, has_table_privilege('vigie.secret', 'SELECT');
    RETURN true;
END $$;
BEGIN;
CREATE POLICY spy ON public.clients USING (public.spy());
ALTER TABLE public.clients ENABLE ROW LEVEL SECURITY;
SELECT is(t.insert_devis(), '2 written, 0 published, 2 lost', 'row-level security that came after the rule');
SELECT is(t.sign_devis(), '2 written, 0 published, 2 lost', 'in a row trigger too');
SELECT ok(t.lost('42501%row-level security%') > 0, 'is counted with its reason');
SELECT is_empty('SELECT * FROM public.spied', 'and the policy did not run');
SELECT is(t.state('devis:created'), 'row-level security applies to vigie_owner: public.clients', 'the rule says so');
SELECT ok(vigie.rules_bad() > 0, 'and so does the figure that the bridge shows');
SELECT t.refused($$ SELECT vigie.assert_ok('devis:created') $$, '55000', '%not in order', 'assert_ok() fails');
SELECT t.refused($$ SELECT vigie.publish('test:rls', 'public.devis', 'update', 'rec.id, client.name AS n', 'company:{company_id}', lookups => ARRAY[vigie.lookup('client', 'public.clients')]) $$,
    '42501', 'rule test:rls: looked-up table public.clients has row-level security%', 'and it cannot be published again');
SELECT is(t.write('UPDATE public.clients SET name = name || ''!'' WHERE id = 1', ''), '1 written, 0 published, 0 lost', 'writing the table itself');
SAVEPOINT s;
RESET SESSION AUTHORIZATION;
ALTER ROLE vigie_owner BYPASSRLS;
SET SESSION AUTHORIZATION deployer;
DELETE FROM public.spied;
SELECT is(t.insert_devis(), '2 written, 2 published, 0 lost', 'with BYPASSRLS the lookup works');
SELECT is_empty('SELECT * FROM public.spied', 'and the policy does not run either');
SELECT is(t.state('devis:created'), 'ok', 'the rule is in order');
ROLLBACK TO s;
ALTER TABLE public.clients DISABLE ROW LEVEL SECURITY;
SELECT is(t.state('devis:created'), 'ok', 'without row-level security, policies or not, it is as well');
ROLLBACK;
BEGIN;
ALTER FUNCTION vigie_gen."devis:created/insert"() RESET row_security;
SELECT is(t.state('devis:created'), 'function changed by hand', 'a function without its settings is not the one of the rule');
ROLLBACK;

-- A rule that fails on some rows only
SELECT count(*) FROM vigie.publish('test:share', 'public.devis', 'update', 'rec.id, 100 / (rec.amount - 5) AS share', 'company:{company_id}', changes => 'amount') \g /dev/null
SELECT is(t.write('UPDATE public.devis SET amount = id WHERE id BETWEEN 4 AND 6', ''), '3 written, 2 published, 1 lost', 'a division by zero costs its own event only');
SELECT is(t.lost('22012%'), 1::bigint, 'and is counted with its SQLSTATE');
SELECT count(*) FROM vigie.publish('test:share', 'public.devis', 'update', 'rec.id, 100 / (rec.amount - 5) AS share', 'company:{company_id}', changes => 'amount', on_error => 'raise') \g /dev/null
UPDATE public.devis SET amount = 4 WHERE id = 5;
SELECT is(t.write('UPDATE public.devis SET amount = 5 WHERE id = 5', ''), 'FAILED 22012 division by zero', 'on_error raise is asked for, and fails the write');
SELECT ok(vigie.unpublish('test:share'), 'unpublished');

-- A session that ran the triggers before the table was altered goes on publishing
SELECT t.second('UPDATE public.devis SET status = ''signed'' WHERE id = 31', 'INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (2, 31, ''s1'', 5)',
                'UPDATE public.factures SET status = ''paid'' WHERE id IN (33, 37)');
ALTER TABLE public.devis ALTER amount TYPE numeric(14, 3), ALTER company_id TYPE bigint, ALTER id TYPE bigint;
ALTER TABLE public.factures ALTER amount TYPE double precision, ALTER id TYPE bigint;
SELECT t.events() \g /dev/null
SELECT t.second('UPDATE public.devis SET status = ''rejected'', reason = ''x'' WHERE id = 32', 'INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (2, 31, ''s2'', 5)',
                'UPDATE public.factures SET status = ''paid'' WHERE id IN (35, 36)');
SELECT is((SELECT string_agg(split_part(e, ' ', 1), ' ' ORDER BY e) FROM t.events() e), 'devis:created devis:rejected facture:paid facture:paid', 'an old session publishes on after ALTER COLUMN TYPE, statement and row triggers');
SELECT is(t.lost('42804%'), 0::bigint, 'and loses nothing');
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('facture:paid', 'public.factures', 'update', 'rec.id, client.name AS "clientName", rec.amount', 'company:{company_id}',
        condition => 'new.status = ''paid''', changes => 'status', lookups => ARRAY[vigie.lookup('client', 'public.clients')], comment => 'x')),
    'function replaced, rule stored', 'publishing again takes note of the new types, without a lock on the table');
SELECT is(t.state('facture:paid'), 'ok', 'and the rule is in order');

-- TRUNCATE and replication are no events
SELECT is(t.write('DELETE FROM public.messages WHERE id = 1', ''), '1 written, 0 published, 0 lost', 'an operation without a rule');
SELECT t.second_close();
SELECT * FROM finish();
