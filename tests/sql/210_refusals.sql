-- Every refusal of the rules API: its SQLSTATE, its words, a hint, and nothing left behind.
\ir helper/rules.sql
SELECT plan(108);
BEGIN;

-- A publish() call on devis with one argument of its own
CREATE FUNCTION t.call(args text, event text DEFAULT 'test:event', source text DEFAULT 'public.devis', ops text DEFAULT 'update',
                       payload text DEFAULT 'rec.id', rooms text DEFAULT 'company:{company_id}') RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT * FROM vigie.publish(event => %L, source => %L, ops => %L, payload => %L, rooms => %L%s)',
                  event, source, ops, payload, rooms, ', ' || nullif(args, ''))
$$;
CREATE FUNCTION t.payload(payload text, state text, message text, sentence text) RETURNS text LANGUAGE sql AS $$
    SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''client'', ''public.clients'')]', payload => payload), state, message, sentence)
$$;
CREATE FUNCTION t.condition(condition text, state text, message text, sentence text) RETURNS text LANGUAGE sql AS $$
    SELECT t.refused(t.call('condition => ' || quote_literal(condition)), state, message, sentence)
$$;
CREATE FUNCTION t.volatile_one(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION t.plain(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION t.hidden(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
REVOKE ALL ON FUNCTION t.hidden(int) FROM PUBLIC;
CREATE TABLE t.nocompany (id int PRIMARY KEY, label text);
CREATE TABLE t.twice (id int PRIMARY KEY, company_id int, "tenantId" int);
CREATE VIEW t.seen_view AS SELECT 1 AS id;
CREATE TABLE t.parted (id int, company_id int) PARTITION BY LIST (id);
CREATE TYPE t.place AS (street text, code text);
CREATE DOMAIN t.positive AS int CHECK (VALUE > 0);
CREATE TABLE t.typed (id int PRIMARY KEY, company_id int, place t.place, places t.place[], author_id int REFERENCES public.users, editor_id int REFERENCES public.users);

CREATE TABLE t.guarded (id int PRIMARY KEY, company_id int, a text COLLATE "C", b text COLLATE "POSIX", j json[], p point);

-- Names and choices
SELECT t.refused(t.call('', event => 'disconnect'), '42939', '%reserved by Socket.IO', 'a name of Socket.IO');
SELECT t.refused(t.call('', event => 'devis'), '42602', 'event name%', 'a name without a verb');
SELECT t.refused(t.call('', event => 'Devis:Signed'), '42602', 'event name%', 'capitals');
SELECT t.refused(t.call('', event => E'devis:\nsigned'), '42602', 'event name%', 'a line break');
SELECT t.refused(t.call('', event => 'a:' || repeat('b', 63)), '42602', 'event name%', '65 characters');
SELECT t.refused(t.call('', ops => 'truncate'), '22023', 'ops%', 'truncate');
SELECT t.refused(t.call('', ops => ''), '22023', 'ops%', 'no operation');
SELECT t.refused(t.call('mode => ''fast'''), '22023', 'mode%', 'an unknown mode');
SELECT t.refused(t.call('guard => ''none'''), '22023', 'guard%', 'an unknown guard');
SELECT t.refused(t.call('on_error => ''ignore'''), '22023', 'on_error%', 'an unknown on_error');
SELECT t.refused(t.call('mode => ''statement'''), '0A000', 'mode statement is not for updates', 'a statement trigger on update');
SELECT t.refused(t.call('mode => ''statement'', guard => ''when''', ops => 'insert'), '0A000', 'guard when needs a row trigger', 'statement and when');
SELECT t.refused(t.call('mode => ''statement''', ops => 'insert', source => 't.parted'), '0A000', '%partitioned or inherited%', 'a statement trigger on a partitioned table');

-- Tables
SELECT t.refused(t.call('', source => 't.seen_view'), '42809', '%is not a table', 'a view');
SELECT t.refused(t.call('', source => 'vigie.outbox'), '42809', '%temporary or system table', 'a table of ours');
SELECT t.refused(t.call('', source => 't.nocompany'), '42703', '%has no company column', 'no company column');
SELECT t.refused(t.call('', source => 't.twice'), '42702', '%several company columns: company_id, tenantId', 'two company columns');
SELECT t.refused(t.call('company => ''a.b.c'''), '42602', 'company%is not a column', 'a company of three parts');
SELECT t.refused(t.call('company => ''client.company_id'''), '42P01', 'company%names no lookup%', 'the company of a lookup that is not there');
SELECT t.refused(t.call('company => ''nothing'''), '42703', 'rule test:event: rooms is not valid%', 'a company column that does not exist');

-- Rooms
SELECT t.refused(t.call('', rooms => ' '), '22023', '%names no room%', 'no room');
SELECT t.refused(t.call('', rooms => 'company'), '42602', 'room template%', 'a room without an id');
SELECT t.refused(t.call('', rooms => 'company:{id'), '42602', 'room template%', 'an open brace');
SELECT t.refused(t.call('', rooms => 'Company:{id}'), '42602', 'room template%', 'a capital kind');
SELECT t.refused(t.call('', rooms => 'company:{nothing}'), '42703', 'rule test:event: rooms%', 'a room of a column that does not exist');
SELECT t.refused(t.call('', rooms => (SELECT string_agg('r:' || g, ',') FROM generate_series(1, 17) g)), '54000', '%17 rooms%', '17 rooms');
SELECT t.refused(t.call('', source => 'public.clients', rooms => 'client:{email}'), '42501', '%protected columns: public.clients.email%', 'a protected column in a room name');

-- Changes and conditions
SELECT t.refused(t.call('changes => ''status''', ops => 'insert'), '22023', 'changes is for%', 'changes on insert');
SELECT t.refused(t.call('changes => ''status, nothing'''), '42703', 'changes names%nothing%', 'changes of a column that does not exist');
SELECT t.condition('new.amount', '42804', '%not boolean', 'a condition that is a number');
SELECT t.condition('true, false', '42601', 'condition is not one expression', 'two conditions');
SELECT t.condition('new.nothing = 1', '42703', '%condition is not valid%', 'a condition on a column that does not exist');
SELECT t.condition('(SELECT true)', '42501', '%a sub-select', 'a sub-select in a condition');
SELECT t.condition('EXISTS (SELECT FROM public.users)', '42501', '%a sub-select', 'another table in a condition');
SELECT t.condition('old.* IS DISTINCT FROM new.*', '42501', '%a whole row', 'whole rows in a condition');
SELECT t.condition('current_user = ''x''', '42501', '%current user%', 'the current user');
SELECT t.condition('new.status = current_setting(''a.b'')', '42501', '%current_setting(text) reads more%', 'a setting');
SELECT t.condition('true) OR (true', '42601', '%brackets or quotes%', 'brackets that leave the clause');
SELECT t.condition('true UNION SELECT true', '42601', '%a clause of its own', 'a union');
SELECT t.condition('(new.amount, new.id) < (1, 2)', '42501', '%a comparison of rows', 'a comparison of rows');

-- The payload: stars, whole rows, other tables
SELECT t.payload('', '22023', 'payload is empty', 'no payload');
SELECT t.payload('*', '42501', '%all columns%', 'a star');
SELECT t.payload('rec.*', '42501', '%all columns%', 'rec.*');
SELECT t.payload('client . *', '42501', '%all columns%', 'a star of a lookup');
SELECT t.payload('to_jsonb(rec) AS x', '42501', '%a whole row', 'to_jsonb(rec)');
SELECT t.payload('row_to_json(rec) AS x', '42501', '%a whole row', 'row_to_json(rec)');
SELECT t.payload('rec::text AS x', '42501', '%a whole row', 'rec::text');
SELECT t.payload('client::text AS x', '42501', '%a whole row', 'a looked-up row as text');
SELECT t.payload('ROW(rec.*)::text AS x', '42501', '%all columns%', 'ROW(rec.*)');
SELECT t.payload('concat(rec.*) AS x', '42501', '%all columns%', 'concat(rec.*)');
SELECT t.payload('ROW(rec.id, rec.amount)::text AS x', '42501', '%a whole row', 'a row constructor');
SELECT t.payload('format(''%s'', client) AS x', '42501', '%a whole row', 'a row as an argument');
RESET SESSION AUTHORIZATION;
CREATE EXTENSION hstore SCHEMA t;
SET SESSION AUTHORIZATION deployer;
SELECT t.payload('t.hstore(rec) AS x', '42501', '%a whole row', 'hstore(rec)');
SELECT t.payload('rec AS x', '42501', '%a whole row', 'rec itself');
SELECT t.payload('rec.ctid', '42501', '%a system column', 'a system column');
SELECT t.payload('(SELECT string_agg(u.name, '','') FROM public.users u) AS x', '42501', '%a sub-select', 'a sub-select');
SELECT t.payload('count(*) AS x', '42501', '%an aggregate%', 'an aggregate');
SELECT t.payload('row_number() OVER () AS x', '42501', '%window function', 'a window function');
SELECT t.payload('generate_series(1, 3) AS x', '42501', '%returns a set', 'a set');
SELECT t.payload('upper(rec.status)', '42601', '%without a name%', 'an expression without a name');
SELECT t.payload('rec.id, client.id', '42701', '%payload is not valid%', 'a name twice');
SELECT t.payload('rec.id,', '42601', '%an empty element', 'a comma too many');
SELECT t.payload('rec.id -- note', '42601', '%a comment', 'a comment');
SELECT t.payload('rec.id /* note */', '42601', '%a comment', 'a long comment');
SELECT t.payload('rec.id; DROP TABLE public.devis', '42601', '%the character%', 'a second statement');
SELECT t.payload('rec.status ~ ''\d'' AS x', '42601', '%the character%', 'a backslash');
SELECT t.payload('$q$a$q$ AS x', '42601', '%the character%', 'a dollar quote');
SELECT t.payload('rec.id FROM public.users AS rec', '42601', '%a clause of its own', 'a FROM of its own');
SELECT t.payload('rec.id) AS y, (rec.amount', '42601', '%brackets or quotes%', 'brackets that leave the clause');
SELECT t.payload('upper(client.iban) AS x', '42501', '%protected columns: public.clients.iban (bank data)', 'a protected column inside an expression');

-- Functions
SELECT t.payload('pg_read_file(''/etc/passwd'') AS x', '42501', '%pg_read_file(text) is volatile%', 'pg_read_file');
SELECT t.payload('query_to_xml(''SELECT 1'', true, false, '''')::text AS x', '42501', '%query_to_xml%', 'query_to_xml');
SELECT t.payload('table_to_xml(''public.users'', true, false, '''')::text AS x', '42501', '%table_to_xml%reads more%', 'table_to_xml');
SELECT t.payload('set_config(''a.b'', ''c'', false) AS x', '42501', '%set_config%is volatile%', 'set_config');
SELECT t.payload('pg_sleep(1)::text AS x', '42501', '%pg_sleep%is volatile%', 'pg_sleep');
SELECT t.payload('lo_get(1) AS x', '42501', '%lo_get%is volatile%', 'large objects');
SELECT t.payload('nextval(''public.devis_id_seq'') AS x', '42501', '%nextval%is volatile%', 'a sequence');
SELECT t.payload('random() AS x', '42501', '%random() is volatile%', 'random');
SELECT t.payload('t.plain(rec.id) AS x', '42501', '%t.plain(integer) is not registered%', 'a function of ours that is not registered');
SELECT t.refused($$ SELECT vigie.allow_function('t.volatile_one(int)', 'why') $$, '42501', '%is volatile%', 'registering a volatile function');
SELECT t.refused($$ SELECT vigie.allow_function('pg_catalog.current_setting(text)', 'why') $$, '42501', '%belongs to PostgreSQL%', 'registering a function of PostgreSQL');
SELECT t.refused($$ SELECT vigie.allow_function('t.plain(int)', ' ') $$, '22023', '%needs a reason', 'registering without a reason');
SELECT t.refused($$ SELECT vigie.allow_function('t.hidden(int)', 'why') $$, '42501', 'vigie_owner may not execute%', 'registering what vigie_owner may not execute');

-- Types
SELECT t.refused(t.call('', source => 't.typed', payload => 'rec.place'), '42501', '%a whole t.place', 'a column of a composite type');
SELECT t.refused(t.call('', source => 't.typed', payload => 'rec.id::t.positive AS x'), '42501', '%a cast to a domain', 'a cast to a domain');

-- Lookups
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''rec'', ''public.clients'')]'), '42602', 'lookup alias%', 'an alias that is taken');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''c'', ''public.clients''), vigie.lookup(''c'', ''public.companies'')]'), '42712', 'two lookups%', 'an alias twice');
SELECT t.refused(t.call('lookups => ARRAY[ROW(''c'', ''public.nothing'', NULL, NULL)::vigie.lookup]'), '42P01', '%does not exist', 'a lookup built by hand');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''author'', ''public.users'')]', source => 't.typed'), '42830', '%2 foreign keys%', 'two foreign keys');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''c'', ''public.clients'', ''c.id'')]'), '42804', '%not type integer', 'a match that is a number');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''c'', ''public.clients'', ''c.id = later.id''), vigie.lookup(''later'', ''public.companies'')]'), '42P01', '%query is not valid%', 'a lookup that needs a later one');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''c'', ''t.twice'', ''c.id = rec.id'')]'), '42702', '%several company columns%', 'a lookup with two company columns');

-- Privileges that the deployer cannot give
RESET SESSION AUTHORIZATION;
CREATE SCHEMA foreign_one;
CREATE TABLE foreign_one.label (id int PRIMARY KEY, label text);
CREATE TABLE foreign_one.visit (id int PRIMARY KEY, company_id int);
CREATE TABLE public.foreign_label (id int PRIMARY KEY, label text);
CREATE TABLE public.foreign_seen (id int PRIMARY KEY, label text);
GRANT USAGE ON SCHEMA foreign_one TO deployer;
GRANT SELECT ON foreign_one.label, foreign_one.visit, public.foreign_seen TO deployer;
GRANT TRIGGER ON foreign_one.visit TO deployer;
SET SESSION AUTHORIZATION deployer;
SELECT t.refused(t.call('', source => 'foreign_one.visit'), '42501', 'USAGE on schema foreign_one could not%', 'a schema that the deployer cannot open');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''l'', ''public.foreign_seen'', ''l.id = rec.id'')]', payload => 'l.label'), '42501', 'SELECT (id) on public.foreign_seen could not%', 'a looked-up table that the deployer only reads');
SELECT t.refused(t.call('lookups => ARRAY[vigie.lookup(''l'', ''public.foreign_label'', ''l.id = rec.id'')]', payload => 'l.label'), '42501', '%foreign_label%', 'a looked-up table that the deployer may not even read');

-- Guards
SELECT t.refused(t.call('guard => ''when'''), '0A000', '%there is no condition', 'when without a condition');
SELECT t.refused(t.call('guard => ''when'', condition => ''rec.status = ''''signed'''''''), '0A000', '%it reads rec', 'when with rec');
SELECT t.refused(t.call('guard => ''when'', condition => ''10 / new.id > 1'''), '0A000', '%can fail', 'when with a division');
SELECT t.refused(t.call('guard => ''when'', condition => ''new.a = new.b''', source => 't.guarded'), '0A000', '%different collations', 'when with two collations');
SELECT t.refused(t.call('guard => ''when'', changes => ''j''', source => 't.guarded'), '0A000', '%can fail', 'when with an array whose elements have no equality');
SELECT t.refused(t.call('guard => ''when'', condition => ''(new.p <-> point ''''(0,0)'''') < 5''', source => 't.guarded'), '0A000', '%can fail', 'when with a distance that may overflow');

-- What must exist, what must not
SELECT t.refused($$ SELECT vigie.pause('no:event', 'why') $$, '42704', '%is not published', 'pausing nothing');
SELECT t.refused($$ SELECT vigie.pause('devis:signed', '') $$, '22023', 'a pause needs a reason', 'pausing without a reason');
SELECT t.refused($$ SELECT vigie.resume('no:event') $$, '42704', '%is not published', 'resuming nothing');
SELECT t.refused($$ SELECT * FROM vigie.preview('no:event') $$, '42704', '%is not published', 'previewing nothing');
SELECT t.refused($$ SELECT vigie.assert_ok('no:event') $$, '42704', '%is not published', 'asserting nothing');
SELECT t.refused($$ SELECT vigie.protect('[.]name$', 'people') $$, '55000', '%matches columns that are published', 'protecting what is published');
SELECT t.refused($$ SELECT vigie.protect('x', '') $$, '22023', '%needs a pattern and a reason', 'protecting without a reason');
SELECT * FROM finish();
ROLLBACK;
