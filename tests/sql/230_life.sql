-- The life of a rule: declare, repeat, change, pause, protect, export, take back; and every state of vigie.rules.
\ir helper/rules.sql
SELECT plan(51);
BEGIN;
CREATE FUNCTION t.steps(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    steps text;
BEGIN
    EXECUTE format('SELECT string_agg(step, '', '') FROM (%s) AS s', rtrim(statement, '; ')) INTO steps;
    RETURN steps;
END $$;
CREATE FUNCTION t.again(event text) RETURNS text LANGUAGE sql AS $$ SELECT t.steps(vigie.rule_call(vigie.rule_find(event))) $$;

-- Idempotent
SELECT is((SELECT string_agg(DISTINCT t.again(event), ';') FROM vigie.rule), 'unchanged', 'each shipped rule, declared again: unchanged');
SELECT is(vigie.rules_bad(), 0, 'no rule is bad');
SELECT lives_ok('SELECT vigie.assert_ok()', 'assert_ok() is silent when all is well');

-- A new payload touches the function only: no lock on the table
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('client:created', 'public.clients', 'insert', 'rec.id, rec.name, rec.type, rec.created_at', 'company:{company_id}')),
    'function replaced, rule stored', 'a new payload replaces the function, not the trigger');
SELECT is((SELECT count(*) FROM pg_locks WHERE relation = 'public.clients'::regclass AND mode LIKE '%Exclusive%' AND pid = pg_backend_pid()), 0::bigint, 'and locks nothing');
INSERT INTO public.clients (id, company_id, name, type, created_at) VALUES (8001, 1, 'a', 'syndic', '2026-01-02 03:04:05+00');
SELECT matches((SELECT t.events()), '"created_at":"2026-01-02T', 'the new payload is sent');

-- Operations come and go
SELECT count(*) FROM vigie.publish('client:created', 'public.clients', 'insert or delete', 'rec.id, old.name AS was, new.name AS is', 'company:{company_id}') \g /dev/null
INSERT INTO public.clients (id, company_id, name, type) VALUES (8002, 1, 'b', 'syndic');
DELETE FROM public.clients WHERE id = 8002;
SELECT results_eq('SELECT t.events()', $$ VALUES ('client:created 1 company:1 {"id":8002,"was":null,"is":"b"}'), ('client:created 1 company:1 {"id":8002,"was":"b","is":null}') $$,
    'one rule for two operations: the side that is not there is null');
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('client:created', 'public.clients', 'delete', 'rec.id', 'company:{company_id}')),
    'trigger dropped, function replaced, rule stored', 'an operation that is not declared any more loses its trigger');
SELECT is(vigie.rule_function('client:created', 'insert')::text, NULL, 'and its function');
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('client:created', 'public.users', 'delete', 'rec.id', 'company:{company_id}')),
    'trigger dropped, function replaced, trigger created, rule stored', 'a rule can move to another table');
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('client:created', 'public.users', 'delete', 'rec.id', 'company:{company_id}', mode => 'row')),
    'function replaced, trigger replaced, rule stored', 'and change its kind of trigger');

-- Privileges follow the lookups
SELECT count(*) FROM vigie.publish('test:a', 'public.devis', 'insert', 'rec.id, company.siret', 'company:{company_id}', lookups => ARRAY[vigie.lookup('company', 'public.companies')]) \g /dev/null
SELECT ok(has_column_privilege('vigie_owner', 'public.companies', 'siret', 'SELECT') AND NOT has_column_privilege('vigie_owner', 'public.companies', 'iban', 'SELECT'), 'a looked-up column is granted, its neighbour is not');
SELECT matches((SELECT detail FROM vigie.publish('test:b', 'public.devis', 'insert', 'rec.id, company.name AS "companyName"', 'company:{company_id}', lookups => ARRAY[vigie.lookup('company', 'public.companies')]) WHERE step = 'note'),
    'company is not bound', 'a lookup without a company column is said aloud');
SELECT ok(vigie.unpublish('test:a'), 'unpublish says that there was one');
SELECT ok(NOT has_column_privilege('vigie_owner', 'public.companies', 'siret', 'SELECT') AND has_column_privilege('vigie_owner', 'public.companies', 'name', 'SELECT'), 'what only it looked up is taken back');
SELECT ok(vigie.unpublish('test:b') AND NOT has_any_column_privilege('vigie_owner', 'public.companies', 'SELECT'), 'the last one takes all');
SELECT ok(NOT vigie.unpublish('test:b'), 'unpublish says that there was none');

-- Dry run and preview
SELECT results_eq($$ SELECT DISTINCT step COLLATE "default" FROM vigie.publish('test:dry', 'public.devis', 'update', 'rec.id, client.name AS n', 'company:{company_id}', condition => 'new.status = ''signed''',
    lookups => ARRAY[vigie.lookup('client', 'public.clients')], dry_run => true) ORDER BY 1 $$, ARRAY['fields', 'publishes', 'reads', 'sample', 'would run'], 'a dry run shows SQL, columns, fields and samples');
SELECT ok(vigie.rule_function('test:dry', 'update') IS NULL AND NOT EXISTS (SELECT FROM vigie.rule WHERE event = 'test:dry'), 'and leaves nothing');
SELECT results_eq($$ SELECT matches, company, payload::text FROM vigie.preview('devis:signed', 2) $$,
    $$ SELECT status = 'signed', d.company_id::text, format('{"id":%s,"clientName":%s}', d.id, to_json(c.name)) FROM public.devis d JOIN public.clients c ON c.id = d.client_id ORDER BY d.id DESC LIMIT 2 $$, 'preview shows what the last rows would send');

-- Pause
SELECT lives_ok($$ SELECT vigie.pause('devis:signed', 'ticket 12') $$, 'pause');
UPDATE public.devis SET status = 'signed' WHERE id = 1;
SELECT is_empty('SELECT t.events()', 'a paused event is silent');
SELECT results_eq($$ SELECT state, paused FROM vigie.rules WHERE event = 'devis:signed' $$, $$ VALUES ('paused'::text, 'ticket 12'::text) $$, 'and says why');
SELECT is(vigie.rules_bad(), 0, 'a pause is not a fault');
SELECT ok('SELECT vigie.pause(''devis:signed'', ''ticket 12'');' IN (SELECT vigie.export()), 'the export keeps the pause');
SELECT lives_ok($$ SELECT vigie.resume('devis:signed') $$, 'resume');
UPDATE public.devis SET status = 'signed' WHERE id = 2;
SELECT is((SELECT count(*) FROM t.events()), 1::bigint, 'and it speaks again');
SELECT is(t.again('devis:signed'), 'unchanged', 'as it was declared');

-- Protection
SELECT lives_ok($$ SELECT vigie.protect('[.]clients[.]notes$', 'internal') $$, 'protect');
SELECT t.refused($$ SELECT * FROM vigie.publish('test:p', 'public.clients', 'insert', 'left(rec.notes, 1) AS n', 'company:{company_id}') $$, '42501', '%public.clients.notes (internal)%', 'a protected column cannot be published');
SELECT ok(vigie.unprotect('[.]clients[.]notes$') AND NOT vigie.unprotect('[.]clients[.]notes$'), 'unprotect says whether there was one');
SELECT is(array(SELECT vigie.rule_normalise(n) FROM unnest(ARRAY['public.Devis.companyId', 'clientIBAN', 'phoneNumber']) n), ARRAY['public.devis.company_id', 'client_iban', 'phone_number'], 'camelCase is matched as words');
SELECT is_empty($$ SELECT 1 FROM vigie.sensitive WHERE vigie.rule_normalise('public.devis.companyId') ~ pattern $$, 'pan does not match companyId');

-- Registered functions
CREATE FUNCTION t.initials(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left(name, 1) || '.' $$;
RESET SESSION AUTHORIZATION; GRANT USAGE ON SCHEMA t TO vigie_owner; SET SESSION AUTHORIZATION deployer;
SELECT lives_ok($$ SELECT vigie.allow_function('t.initials(text)', 'short names') $$, 'allow_function');
SELECT count(*) FROM vigie.publish('test:fn', 'public.clients', 'insert', 'rec.id, t.initials(rec.name) AS n', 'company:{company_id}') \g /dev/null
INSERT INTO public.clients (id, company_id, name, type) VALUES (8003, 1, 'Zoé', 'syndic');
SELECT ok('test:fn 1 company:1 {"id":8003,"n":"Z."}' IN (SELECT t.events()), 'a registered function is called');
SELECT t.refused($$ SELECT vigie.disallow_function('t.initials(text)') $$, '55000', '%is called by rules: test:fn', 'a function in use stays registered');
SAVEPOINT f;
ALTER FUNCTION t.initials(text) VOLATILE;
SELECT is(t.state('test:fn'), 'function not allowed: t.initials(text) is volatile', 'state: function not allowed');
DROP FUNCTION t.initials(text);
SELECT is(t.state('test:fn'), 'function missing: t.initials(text)', 'state: function missing');
INSERT INTO public.clients (id, company_id, name, type) VALUES (8004, 1, 'Zoé', 'syndic');
SELECT is(t.lost('42883%'), 1::bigint, 'a dropped function loses the event, not the write');
ROLLBACK TO f;
SELECT ok(vigie.unpublish('test:fn') AND vigie.disallow_function('t.initials(text)') AND NOT vigie.disallow_function('t.initials(text)'), 'disallow_function says whether it was registered');

-- States
SAVEPOINT s;
ALTER TABLE public.devis DISABLE TRIGGER "vigie_devis:signed/update";
SELECT is(t.state('devis:signed'), 'trigger disabled', 'state: trigger disabled');
DROP TRIGGER "vigie_devis:signed/update" ON public.devis;
SELECT is(t.state('devis:signed'), 'trigger missing', 'state: trigger missing');
ALTER FUNCTION vigie_gen."devis:created/insert"() SECURITY INVOKER;
SELECT is(t.state('devis:created'), 'function changed by hand', 'state: function changed by hand');
INSERT INTO vigie.sensitive VALUES ('[.]clients[.]name$', 'by hand');
SELECT is(t.state('facture:paid'), 'protected column: public.clients.name', 'state: protected column');
DROP TABLE public.messages;
SELECT is(t.state('message:received'), 'table missing', 'state: table missing');
DROP TRIGGER "vigie_devis:rejected/update" ON public.devis;
CREATE TRIGGER "vigie_devis:rejected/update" AFTER UPDATE OF reason ON public.devis FOR EACH ROW EXECUTE FUNCTION vigie_gen."devis:rejected/update"();
SELECT is(t.state('devis:rejected'), 'trigger changed by hand', 'state: trigger changed by hand');
SELECT t.refused('SELECT vigie.assert_ok()', '55000', 'vigie rules are not in order', 'assert_ok() fails and lists them');
SELECT cmp_ok(vigie.rules_bad(), '>=', 6, 'rules_bad() counts them for the bridge');
ROLLBACK TO s;

SELECT matches(vigie.typescript(), E'"devis:created": \\{\n    id: number;\n    clientName: string \\| null;\n    amount: number;\n  \\};', 'typescript() describes each payload, and what cannot be null');
SELECT is(array(SELECT vigie.rule_never_null(r, item) FROM vigie.rule r CROSS JOIN unnest(ARRAY['rec.id', 'rec . "company_id" AS x', 'rec.ID', 'new.id', 'old.id', 'rec.reason', 'client.id', 'rec.id + 1 AS id', 'rec.absent']) AS item WHERE r.event = 'devis:created'),
    ARRAY[true, true, true, true, false, false, false, false, false], 'what cannot be null');
SELECT is(array(SELECT vigie.rule_typescript_type(x) FROM unnest(ARRAY['bigint', 'numeric(12,2)', 'boolean', 'jsonb', 'text[]', 'uuid', 'integer']) x),
    ARRAY['number | string', 'number', 'boolean', 'unknown', 'Array<string | null>', 'string', 'number'], 'types of TypeScript');
SELECT * FROM finish();
ROLLBACK;
