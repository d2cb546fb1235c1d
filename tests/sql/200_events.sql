-- The nine events that ship: exactly these payloads, in these rooms, and nothing else.
\ir helper/rules.sql
SELECT plan(28);
BEGIN;

SELECT results_eq('SELECT count(*), min(state), max(state) FROM vigie.rules', $$ VALUES (9::bigint, 'ok'::text, 'ok'::text) $$, 'nine rules, all in order');
SELECT is((SELECT count(*) FROM vigie.outbox), 0::bigint, 'loading the demo published nothing');

INSERT INTO public.devis (id, company_id, client_id, number, amount) VALUES (9001, 1, 1, 'A', 1250), (9002, 2, 31, 'B', 80.5);
SELECT results_eq('SELECT t.events()', $$ VALUES
    ('devis:created 1 company:1 {"id":9001,"clientName":"Chloé Fournier","amount":1250.00}'),
    ('devis:created 2 company:2 {"id":9002,"clientName":"Hugo Mercier","amount":80.50}') $$, 'devis:created: id, clientName, amount');
UPDATE public.devis SET status = 'sent' WHERE id IN (9001, 9002);
SELECT is_empty('SELECT t.events()', 'a status that is no event publishes nothing');
UPDATE public.devis SET status = 'signed' WHERE id = 9001;
SELECT results_eq('SELECT t.events()', $$ VALUES ('devis:signed 1 company:1 {"id":9001,"clientName":"Chloé Fournier"}') $$, 'devis:signed: id, clientName');
UPDATE public.devis SET company_id = company_id, client_id = client_id, number = number, status = status, amount = amount, reason = reason, updated_at = now() WHERE id = 9001;
SELECT is_empty('SELECT t.events()', 'an ORM that writes every column publishes nothing');
UPDATE public.devis SET status = 'rejected', reason = 'Trop « cher »' WHERE id = 9002;
SELECT results_eq('SELECT t.events()', $$ VALUES ('devis:rejected 2 company:2 {"id":9002,"clientName":"Hugo Mercier","reason":"Trop « cher »"}') $$, 'devis:rejected: id, clientName, reason');

INSERT INTO public.factures (id, company_id, client_id, number, amount) VALUES (9001, 1, 1, 'A', 99.9);
SELECT results_eq('SELECT t.events()', $$ VALUES ('facture:created 1 company:1 {"id":9001,"clientName":"Chloé Fournier","amount":99.90}') $$, 'facture:created: id, clientName, amount');
UPDATE public.factures SET status = 'paid' WHERE id = 9001;
SELECT results_eq('SELECT t.events()', $$ VALUES ('facture:paid 1 company:1 {"id":9001,"clientName":"Chloé Fournier","amount":99.90}') $$, 'facture:paid: id, clientName, amount');

INSERT INTO public.interventions (id, company_id, client_id, assignee_id, address) VALUES (9001, 1, 1, 4, '1 rue X'), (9002, 1, 1, NULL, '2 rue Y');
SELECT is_empty('SELECT t.events()', 'planning an intervention is no event');
UPDATE public.interventions SET status = 'started' WHERE id IN (9001, 9002);
SELECT results_eq('SELECT t.events()', $$ VALUES
    ('intervention:started 1 company:1,user:4 {"id":9001,"address":"1 rue X","assignee":"Sophie Carpentier"}'),
    ('intervention:started 1 company:1 {"id":9002,"address":"2 rue Y","assignee":null}') $$, 'intervention:started: id, address, assignee; a room with a null part is dropped');
UPDATE public.interventions SET status = 'completed', duration = 75 WHERE id = 9001;
SELECT results_eq('SELECT t.events()', $$ VALUES ('intervention:completed 1 company:1,user:4 {"id":9001,"address":"1 rue X","duration":75}') $$, 'intervention:completed: id, address, duration');

INSERT INTO public.clients (id, company_id, name, type, email, iban) VALUES (9001, 2, 'Zoé "Z"', 'syndic', 'bait@example.fr', 'FR76');
SELECT results_eq('SELECT t.events()', $$ VALUES ('client:created 2 company:2 {"id":9001,"name":"Zoé \"Z\"","type":"syndic"}') $$, 'client:created: id, name, type');

INSERT INTO public.messages (id, company_id, conversation_id, client_id, sender, body) VALUES (9001, 1, 7, 1, 'client', 'bait'), (9002, 1, 7, 1, 'company', 'bait');
SELECT results_eq('SELECT t.events()', $$ VALUES ('message:received 1 company:1,conversation:7 {"id":9001,"conversationId":7,"clientName":"Chloé Fournier"}') $$,
    'message:received: id, conversationId, clientName, never the text; and not when we write');

-- Bait: whatever was written above, none of it left
SELECT is_empty($$ SELECT payload FROM vigie.outbox WHERE payload::text ~* 'bait|appât|FR76|@' $$, 'no e-mail, IBAN, note or message text in any payload');
SELECT is_empty($$ SELECT path FROM vigie.rule, unnest(publishes) path WHERE path ~ '(email|phone|iban|notes|hash|body|margin|door_code)' $$, 'no rule publishes a bait column');

-- A wrong foreign key carries no name across companies
INSERT INTO public.devis (id, company_id, client_id, number, amount) VALUES (9003, 1, 31, 'C', 1);
SELECT results_eq('SELECT t.events()', $$ VALUES ('devis:created 1 company:1 {"id":9003,"clientName":null,"amount":1.00}') $$, 'a client of another company is not named');

-- One statement, many rows
INSERT INTO public.devis (company_id, client_id, number, amount) SELECT 1, 1, 'bulk' || g, g FROM generate_series(1, 500) g;
SELECT is((SELECT count(*) FROM t.events()), 500::bigint, 'a bulk insert publishes each row');
UPDATE public.devis SET status = 'signed' WHERE number LIKE 'bulk%';
SELECT is((SELECT count(*) FROM t.events()), 500::bigint, 'a bulk update publishes each row');
INSERT INTO public.devis (company_id, client_id, number, amount) VALUES (1, 1, 'bulk1', 5), (1, 1, 'fresh', 5)
    ON CONFLICT (company_id, number) DO UPDATE SET status = 'rejected';
SELECT is((SELECT string_agg(split_part(e, ' ', 1), ',' ORDER BY e) FROM t.events() e), 'devis:created,devis:rejected', 'an upsert publishes what it did to each row');

-- Mute, rollback, delete
SET LOCAL vigie.mute = on;
INSERT INTO public.clients (company_id, name, type) VALUES (1, 'silence', 'syndic');
SELECT is_empty('SELECT t.events()', 'a muted session publishes nothing');
SET LOCAL vigie.mute = off;
SAVEPOINT s;
INSERT INTO public.clients (company_id, name, type) VALUES (1, 'undone', 'syndic');
ROLLBACK TO s;
SELECT is_empty('SELECT t.events()', 'a rolled back write publishes nothing');
SELECT is(t.lost(), 0::bigint, 'nothing was lost');

-- What vigie_owner may read: exactly the looked-up columns
SELECT is((SELECT string_agg(DISTINCT a.attrelid::regclass || '.' || a.attname, ' ' ORDER BY a.attrelid::regclass || '.' || a.attname) FROM pg_attribute a
        CROSS JOIN LATERAL aclexplode(a.attacl) g WHERE g.grantee = 'vigie_owner'::regrole),
    'clients.company_id clients.id clients.name users.company_id users.id users.name',
    'vigie_owner may read id, company and name of clients and users, nothing else');
SELECT ok(NOT has_table_privilege('vigie_owner', 'public.devis', 'SELECT') AND NOT has_any_column_privilege('vigie_owner', 'public.messages', 'SELECT'),
    'and no column of the tables that publish');
SELECT is_empty($$ SELECT proname FROM pg_proc p WHERE pronamespace = 'vigie_gen'::regnamespace
        AND (NOT prosecdef OR proowner <> 'vigie_owner'::regrole OR proconfig <> ARRAY['search_path=pg_catalog, pg_temp', 'row_security=off']) $$,
    'generated functions are SECURITY DEFINER, owned by vigie_owner, with a fixed search_path and without policies');
SELECT is_empty($$ SELECT proname FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) g
        WHERE pronamespace IN ('vigie_gen'::regnamespace, 'vigie'::regnamespace) AND g.grantee NOT IN ('vigie_owner'::regrole, 'vigie_bridge'::regrole) $$,
    'nobody but vigie_owner and vigie_bridge may execute anything of ours');

-- A business role needs nothing of ours
RESET SESSION AUTHORIZATION;
GRANT SELECT, INSERT, UPDATE ON public.clients TO business;
GRANT USAGE ON SEQUENCE public.clients_id_seq TO business;
SET SESSION AUTHORIZATION business;
INSERT INTO public.clients (company_id, name, type) VALUES (1, 'par un service', 'syndic');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT payload->>'name' FROM vigie.outbox ORDER BY id DESC LIMIT 1), 'par un service', 'a role without any privilege on vigie publishes by writing');
SELECT * FROM finish();
ROLLBACK;
