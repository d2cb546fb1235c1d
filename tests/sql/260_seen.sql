-- rules_bad() answers from memory until something has changed, and whatever changes is noticed.
\ir helper/rules.sql
SELECT plan(23);
RESET SESSION AUTHORIZATION;
CREATE FUNCTION public.shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) $$;
SELECT vigie.allow_function('public.shout(text)', 'test') \g /dev/null
SELECT count(*) FROM vigie.publish('client:shouted', 'public.clients', 'insert', 'rec.id, public.shout(rec.name) AS name', 'company:{company_id}') \g /dev/null

SELECT is(vigie.rules_bad(), 0, 'all is well');
SELECT at AS first_look FROM vigie.rules_seen \gset
SELECT is(vigie.rules_bad(), 0, 'asked again');
SELECT is((SELECT at FROM vigie.rules_seen), :'first_look', 'it has not looked again');
UPDATE vigie.rules_seen SET at = now() - interval '61 minutes';
SELECT is(vigie.rules_bad(), 0, 'an hour later');
SELECT ok((SELECT at FROM vigie.rules_seen) > :'first_look', 'it has');
ANALYZE;
VACUUM;
SELECT at AS second_look FROM vigie.rules_seen \gset
SELECT vigie.rules_bad() \g /dev/null
SELECT is((SELECT at FROM vigie.rules_seen), :'second_look', 'housekeeping is no change');

-- Makes a change, and takes it back.
CREATE FUNCTION t.noticed(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM vigie.rules_bad();
    BEGIN
        EXECUTE change;
        SELECT CASE WHEN vigie.rules_bad() = count(*) AND count(*) > 0 THEN 'noticed' ELSE format('%s, not %s', vigie.rules_bad(), count(*)) END
          INTO answer FROM vigie.rules WHERE state NOT IN ('ok', 'paused');
        RAISE EXCEPTION USING ERRCODE = 'VG000';
    EXCEPTION WHEN SQLSTATE 'VG000' THEN NULL;
    END;
    RETURN answer;
END $$;
SELECT is(t.noticed('ALTER TABLE public.devis RENAME amount TO montant'), 'noticed', 'a column renamed');
SELECT is(t.noticed('ALTER TABLE public.devis DROP COLUMN amount'), 'noticed', 'a column dropped');
SELECT is(t.noticed('ALTER TABLE public.clients ALTER name TYPE varchar(90)'), 'noticed', 'a looked-up column of another type');
SELECT is(t.noticed('ALTER TABLE public.devis RENAME TO quotes'), 'noticed', 'a table renamed');
SELECT is(t.noticed('ALTER SCHEMA public RENAME TO private'), 'noticed', 'a schema renamed');
SELECT is(t.noticed('DROP TABLE public.messages'), 'noticed', 'a table dropped');
SELECT is(t.noticed('ALTER TABLE public.devis DISABLE TRIGGER ALL'), 'noticed', 'triggers disabled');
SELECT is(t.noticed('DROP TRIGGER "vigie_devis:signed/update" ON public.devis'), 'noticed', 'a trigger dropped');
SELECT is(t.noticed('CREATE OR REPLACE FUNCTION vigie_gen."devis:signed/update"() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NULL; END $f$'), 'noticed', 'a function changed by hand');
SELECT is(t.noticed('REVOKE SELECT (name) ON public.clients FROM vigie_owner'), 'noticed', 'a column privilege revoked');
SELECT is(t.noticed('REVOKE USAGE ON SCHEMA public FROM PUBLIC; REVOKE USAGE ON SCHEMA public FROM vigie_owner'), 'noticed', 'USAGE revoked');
SELECT is(t.noticed('INSERT INTO vigie.sensitive (pattern, reason) VALUES (''[.]clients[.]name$'', ''x'')'), 'noticed', 'a column protected by hand');
SELECT is(t.noticed('DROP FUNCTION public.shout(text)'), 'noticed', 'a registered function dropped');
SELECT is(t.noticed('ALTER FUNCTION public.shout(text) VOLATILE'), 'noticed', 'or become volatile');
SELECT is(t.noticed('DELETE FROM vigie.allowed_function'), 'noticed', 'or no longer registered');
SELECT is(t.noticed('CREATE TABLE t.child () INHERITS (public.devis)'), 'noticed', 'a table that has children now');

-- Where nothing can be written, a standby for instance, it looks each time.
UPDATE vigie.rules_seen SET at = '-infinity';
BEGIN READ ONLY;
SELECT is(vigie.rules_bad(), 0, 'in a read-only transaction');
COMMIT;
SELECT * FROM finish();
