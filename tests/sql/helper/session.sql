-- More sessions for a pgTAP file, through dblink: \ir helper/session.sql
\set QUIET on
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA t;

-- Opens a session, as the given role.
CREATE FUNCTION t.open(session text, login text DEFAULT 'postgres') RETURNS text LANGUAGE sql AS $$
    SELECT dblink_connect(session, format('host=%s port=%s dbname=%s user=%s',
        current_setting('unix_socket_directories'), current_setting('port'),
        current_database(), login))
$$;

-- Runs one statement there, without a result.
CREATE FUNCTION t.run(session text, statement text) RETURNS text LANGUAGE sql AS $$
    -- dblink_exec() takes no statement that returns rows
    SELECT dblink_exec(session, CASE WHEN statement LIKE 'SELECT %'
        THEN format('DO $do$ BEGIN PERFORM %s; END $do$', substr(statement, 8))
        ELSE statement END)
$$;

-- One value from there.
CREATE FUNCTION t.ask(session text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    SELECT a.v INTO answer FROM dblink(session, format('SELECT (%s)::text', query)) AS a (v text);
    RETURN answer;
END $$;

-- What a LISTENing session has heard since the last call, as channel=payload. A sentinel of our own
-- closes the list: notifications come in order, so what has not come before it does not come.
CREATE FUNCTION t.heard(session text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    heard text[] := '{}';
    n record;
    give_up timestamptz := clock_timestamp() + interval '10 s';
BEGIN
    PERFORM t.run(session, 'LISTEN sentinel');
    PERFORM t.run('sentinel', 'NOTIFY sentinel');
    LOOP
        PERFORM dblink_exec(session, 'SET application_name = ''listener''');
        FOR n IN SELECT notify_name, extra FROM dblink_get_notify(session) LOOP
            IF n.notify_name = 'sentinel' THEN
                RETURN heard;
            END IF;
            heard := heard || (n.notify_name || '=' || coalesce(n.extra, ''));
        END LOOP;
        IF clock_timestamp() > give_up THEN
            RAISE EXCEPTION 'the sentinel did not come within 10 s';
        END IF;
    END LOOP;
END $$;

-- Emits one event for each company, in the calling transaction, with payload {"n": 1}, …
CREATE FUNCTION t.emit(companies text[], event text DEFAULT 'devis:created',
                       channel text DEFAULT 'vigie_devis') RETURNS void LANGUAGE sql AS $$
    SELECT vigie.emit(channel, event, array_agg(ROW(c, ARRAY['company:' || c],
                      json_build_object('n', n))::vigie.item ORDER BY n))
      FROM unnest(companies) WITH ORDINALITY AS u (c, n)
$$;

SELECT t.open('sentinel');
