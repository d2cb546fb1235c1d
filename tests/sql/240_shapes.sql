-- Tables of every shape: Prisma, partitions, composite and missing keys, big integers, composite types, guards.
\ir helper/rules.sql
SELECT plan(29);
\o /dev/null
\ir ../../sql/demo/prisma_rules.sql
\o
BEGIN;
RESET SESSION AUTHORIZATION; GRANT USAGE ON SCHEMA t TO vigie_owner; SET SESSION AUTHORIZATION deployer;

-- Prisma: quoted camelCase, uuid keys, enums
SELECT results_eq($$ SELECT count(DISTINCT event), min(state), max(state) FROM vigie.rules WHERE source LIKE 'prisma%' $$, $$ VALUES (6::bigint, 'ok'::text, 'ok'::text) $$, 'the Prisma rules are in order');
UPDATE prisma."Devis" SET "companyId" = "companyId", "clientId" = "clientId", status = 'SIGNED', "totalTtc" = "totalTtc", "updatedAt" = now() WHERE id = '00000001-0003-4000-8000-000000000001';
SELECT results_eq('SELECT t.events()', $$ VALUES ('quote:signed 00000001-0000-4000-8000-000000000001 company:00000001-0000-4000-8000-000000000001,client:00000001-0002-4000-8000-000000000001 {"id":"00000001-0003-4000-8000-000000000001","clientName":"Mme Perrin 1"}') $$, 'an ORM update of a quoted table with uuid keys');
UPDATE prisma."Devis" SET status = 'SIGNED', "updatedAt" = now() WHERE id = '00000001-0003-4000-8000-000000000001';
SELECT is_empty('SELECT t.events()', 'saved again without a change: silence');
INSERT INTO prisma."Message" (id, "conversationId", "fromClient", body) VALUES (9007199254740992, '00000002-0006-4000-8000-000000000003', true, 'bait'), (12, '00000002-0006-4000-8000-000000000003', false, 'bait') ON CONFLICT DO NOTHING;
SELECT results_eq('SELECT t.events()', $$ VALUES ('message:arrived 00000002-0000-4000-8000-000000000001 company:00000002-0000-4000-8000-000000000001,conversation:00000002-0006-4000-8000-000000000003 {"id":"9007199254740992","conversationId":"00000002-0006-4000-8000-000000000003","clientName":"M. Jaouen 3"}') $$,
    'company through a lookup; an int8 beyond 2^53 leaves as a string');
INSERT INTO prisma."Message" (id, "conversationId", "fromClient", body) VALUES (9007199254740991, '00000002-0006-4000-8000-000000000003', true, 'bait');
SELECT matches((SELECT t.events()), '\{"id":9007199254740991,', 'up to 2^53 - 1 it is a number');
UPDATE prisma."Conversation" SET "clientId" = '00000001-0002-4000-8000-000000000001' WHERE id = '00000002-0006-4000-8000-000000000003';
INSERT INTO prisma."Message" ("conversationId", "fromClient", body) VALUES ('00000002-0006-4000-8000-000000000003', true, 'bait');
SELECT matches((SELECT t.events()), '"clientName":null', 'a lookup behind a lookup is bound to the company too');

-- Partitions: rows written straight into one, partitions with other column order
CREATE TABLE t.parted (company_id text, id int, label text, PRIMARY KEY (company_id, id)) PARTITION BY LIST (company_id);
CREATE TABLE t.part_a PARTITION OF t.parted FOR VALUES IN ('a');
CREATE TABLE t.part_b (junk int, label text, id int NOT NULL, company_id text NOT NULL);
ALTER TABLE t.part_b DROP COLUMN junk;
ALTER TABLE t.parted ATTACH PARTITION t.part_b FOR VALUES IN ('b');
SELECT count(*) FROM vigie.publish('part:any', 't.parted', 'insert, update, delete', 'rec.id, rec.label, old.label AS was', 'company:{company_id}') \g /dev/null
INSERT INTO t.parted VALUES ('a', 1, 'x'), ('b', 2, 'y');
INSERT INTO t.part_b (company_id, id, label) VALUES ('b', 3, 'z');
UPDATE t.part_b SET label = 'zz' WHERE id = 3;
DELETE FROM t.parted WHERE id = 1;
SELECT results_eq('SELECT t.events()', $$ VALUES ('part:any a company:a {"id":1,"label":"x","was":null}'), ('part:any b company:b {"id":2,"label":"y","was":null}'), ('part:any b company:b {"id":3,"label":"z","was":null}'),
    ('part:any b company:b {"id":3,"label":"zz","was":"z"}'), ('part:any a company:a {"id":1,"label":"x","was":"x"}') $$, 'a partitioned table, also when a partition is written directly');
CREATE TABLE t.part_c PARTITION OF t.parted FOR VALUES IN ('c');
INSERT INTO t.part_c VALUES ('c', 4, 'new');
SELECT is((SELECT count(*) FROM t.events()), 1::bigint, 'a partition added later publishes');
SELECT is(t.state('part:any'), 'ok', 'and the rule is in order');
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('part:any', 't.parted', 'insert, update, delete', 'rec.id, rec.label, old.label AS was', 'company:{company_id}')), 'unchanged', 'declared again: unchanged');
SELECT ok(vigie.unpublish('part:any'), 'unpublished');
SELECT is_empty($$ SELECT 1 FROM pg_trigger WHERE tgrelid IN ('t.parted'::regclass, 't.part_a'::regclass, 't.part_b'::regclass, 't.part_c'::regclass) AND NOT tgisinternal $$, 'no trigger is left on any partition');

-- Keys: changed, composite, none
UPDATE public.devis SET id = 7001, status = 'signed' WHERE id = 1;
SELECT is((SELECT left(split_part(e, ' ', 4), 10) FROM t.events() e), '{"id":7001', 'an update that changes the key is published');
CREATE TABLE t.keyless ("tenantId" text, "Étiquette" text, n int);
SELECT count(*) FROM vigie.publish('keyless:any', 't.keyless', 'update or delete', 'rec."Étiquette" AS "label", old.n AS was', 'company:{tenantId}, tag:{Étiquette}') \g /dev/null
INSERT INTO t.keyless VALUES ('k', 'é', 1), ('k', 'é', 1);
UPDATE t.keyless SET n = 2;
DELETE FROM t.keyless;
SELECT results_eq('SELECT t.events()', $$ VALUES ('keyless:any k company:k,tag:é {"label":"é","was":1}'), ('keyless:any k company:k,tag:é {"label":"é","was":1}'),
    ('keyless:any k company:k,tag:é {"label":"é","was":2}'), ('keyless:any k company:k,tag:é {"label":"é","was":2}') $$, 'a table without a key, accented names, delete');

-- A rule that looks its own table up; two lookups of one table
CREATE TABLE t.staff (id int PRIMARY KEY, company_id bigint NOT NULL, name text, iban text, boss_id int REFERENCES t.staff);
SELECT count(*) FROM vigie.publish('staff:hired', 't.staff', 'insert', 'rec.id, rec.name, boss.name AS boss, top.name AS top', 'company:{company_id}',
    lookups => ARRAY[vigie.lookup('boss', 't.staff'), vigie.lookup('top', 't.staff', 'top.id = boss.boss_id')]) \g /dev/null
INSERT INTO t.staff VALUES (1, 5, 'Anne', 'x', NULL), (2, 5, 'Bob', 'x', 1), (3, 5, 'Cléo', 'x', 2), (4, 6, 'Dan', 'x', 3);
SELECT results_eq('SELECT split_part(e, ''{'', 2) FROM t.events() e', $$ VALUES ('"id":1,"name":"Anne","boss":null,"top":null}'), ('"id":2,"name":"Bob","boss":"Anne","top":null}'),
    ('"id":3,"name":"Cléo","boss":"Bob","top":"Anne"}'), ('"id":4,"name":"Dan","boss":null,"top":null}') $$, 'self-lookups, chained, bound to the company');
SELECT results_eq($$ SELECT has_column_privilege('vigie_owner', 't.staff', c, 'SELECT') FROM unnest(ARRAY['id', 'company_id', 'name', 'boss_id', 'iban']) c $$,
    ARRAY[true, true, true, true, false], 'only what the aliases read is granted');

-- Composite types by field; company of another type than the lookup's; dates and CASE
CREATE TYPE t.place AS (street text, code text);
CREATE TABLE t.visit (id int PRIMARY KEY, company_id uuid, place t.place, at timestamptz);
SELECT count(*) FROM vigie.publish('visit:made', 't.visit', 'insert', $$ rec.id, (rec.place).street AS street, to_char(rec.at AT TIME ZONE 'Europe/Paris', 'YYYY-MM-DD') AS day,
    CASE WHEN rec.id > 1 THEN 'many' ELSE 'one' END AS "howMany", coalesce(nullif(rec.id, 1), 0) + 1 AS n $$, 'company:{company_id}') \g /dev/null
INSERT INTO t.visit VALUES (1, '00000000-0000-4000-8000-000000000007', ROW('rue X', '4471'), '2026-06-30 23:30+00');
SELECT results_eq('SELECT t.events()', $$ VALUES ('visit:made 00000000-0000-4000-8000-000000000007 company:00000000-0000-4000-8000-000000000007 {"id":1,"street":"rue X","day":"2026-07-01","howMany":"one","n":1}') $$, 'a field of a composite column, dates, CASE');
CREATE TABLE t.label (id int PRIMARY KEY, company_id text, label text);
INSERT INTO t.label VALUES (1, '00000000-0000-4000-8000-000000000007', 'bound'), (2, 'other', 'foreign');
SELECT count(*) FROM vigie.publish('visit:made', 't.visit', 'insert', 'rec.id, l.label', 'company:{company_id}', lookups => ARRAY[vigie.lookup('l', 't.label', 'l.id = rec.id', 'company_id')]) \g /dev/null
INSERT INTO t.visit VALUES (2, '00000000-0000-4000-8000-000000000007');
DELETE FROM t.visit WHERE id = 1;
INSERT INTO t.visit VALUES (1, '00000000-0000-4000-8000-000000000007');
SELECT is((SELECT string_agg(split_part(e, ' ', 4), ' ') FROM t.events() e), '{"id":2,"label":null} {"id":1,"label":"bound"}', 'a company of another type is compared as text');

-- guard when: the condition stands in the trigger
SELECT count(*) FROM vigie.publish('visit:moved', 't.visit', 'update', 'rec.id', 'company:{company_id}', changes => 'at', condition => 'new.id = 2', guard => 'when') \g /dev/null
SELECT matches((SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'vigie_visit:moved/update'), 'WHEN .*at IS DISTINCT FROM', 'the trigger has a WHEN clause');
UPDATE t.visit SET at = now();
SELECT is((SELECT count(*) FROM t.events()), 1::bigint, 'and fires when it holds');
SELECT throws_ok('ALTER TABLE t.visit ALTER at TYPE text', '0A000', NULL, 'at the price of pinning the column');
SELECT is((SELECT string_agg(step, ', ') FROM vigie.publish('visit:moved', 't.visit', 'update', 'rec.id', 'company:{company_id}', changes => 'at', condition => 'new.id = 1', guard => 'when')),
    'function replaced, trigger replaced, rule stored', 'another condition replaces the trigger');
UPDATE t.visit SET at = NULL;
SELECT is((SELECT split_part(e, ' ', 4) FROM t.events() e), '{"id":1}', 'which then fires for the other row');

-- The longest names
SELECT count(*) FROM vigie.publish('a:' || repeat('x', 62), 't.visit', 'insert, update, delete', 'rec.id', 'company:{company_id}') \g /dev/null
SELECT count(*) FROM vigie.publish('a:' || repeat('x', 61) || 'y', 't.visit', 'insert, update, delete', 'rec.id', 'company:{company_id}') \g /dev/null
INSERT INTO t.visit VALUES (3, '00000000-0000-4000-8000-000000000007');
SELECT is((SELECT count(DISTINCT split_part(e, ' ', 1)) FROM t.events() e), 3::bigint, 'two names of 64 characters do not meet');
SELECT ok(vigie.unpublish('a:' || repeat('x', 62)) AND t.state('a:' || repeat('x', 61) || 'y') = 'ok', 'and are taken back apart');

-- A condition that reads a lookup; a channel from a long table name
CREATE TABLE t."Une Table au Nom Vraiment Très Long, avec Virgules" (id int PRIMARY KEY, company_id int, client_id int REFERENCES public.clients);
SELECT count(*) FROM vigie.publish('long:name', 't."Une Table au Nom Vraiment Très Long, avec Virgules"', 'insert, update', 'rec.id', 'company:{company_id}',
    condition => 'client.type = ''syndic''', lookups => ARRAY[vigie.lookup('client', 'public.clients')]) \g /dev/null
INSERT INTO t."Une Table au Nom Vraiment Très Long, avec Virgules" SELECT id, company_id, id FROM public.clients WHERE id <= 10;
SELECT is((SELECT string_agg(split_part(e, ' ', 4), ' ' ORDER BY e) FROM t.events() e), '{"id":10} {"id":5}', 'a condition on a lookup, insert');
UPDATE t."Une Table au Nom Vraiment Très Long, avec Virgules" SET company_id = company_id;
SELECT is((SELECT string_agg(split_part(e, ' ', 4), ' ' ORDER BY e) FROM t.events() e), '{"id":10} {"id":5}', 'and update');
SELECT matches((SELECT channel FROM vigie.rule WHERE event = 'long:name'), '^vigie_[a-z0-9_]{1,57}$', 'the channel is plain and short');
SELECT is(t.lost(), 0::bigint, 'nothing was lost');
SELECT * FROM finish();
ROLLBACK;
