-- For the files about rules: everything runs as the deployer, who is no superuser. \ir helper/rules.sql
\set QUIET on
\set ON_ERROR_STOP on
SET client_min_messages = error;
CREATE SCHEMA t;
GRANT USAGE, CREATE ON SCHEMA t TO deployer;
SET SESSION AUTHORIZATION deployer;

-- A refusal has the SQLSTATE, says what is wrong, and has a hint; and nothing is left of it.
CREATE FUNCTION t.refused(statement text, state text, message_like text, sentence text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text := (SELECT md5(string_agg(t::text, '' ORDER BY t.event)) FROM vigie.rule t);
    message text;
    hint text;
    got text;
BEGIN
    BEGIN
        EXECUTE statement;
        got := 'no error';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, got = RETURNED_SQLSTATE;
    END;
    RETURN public.ok(got = state AND message LIKE message_like AND hint <> ''
                     AND before IS NOT DISTINCT FROM (SELECT md5(string_agg(t::text, '' ORDER BY t.event)) FROM vigie.rule t), sentence)
        || CASE WHEN got = state AND message LIKE message_like AND hint <> '' THEN '' ELSE format(E'\n# %s: %s (hint: %s)', got, message, hint) END;
END $$;

-- Events since the last call, as "event company rooms payload".
CREATE SEQUENCE t.seen MINVALUE 0 START 0;
CREATE FUNCTION t.events() RETURNS SETOF text LANGUAGE sql AS $$
    WITH fresh AS MATERIALIZED (SELECT o.* FROM vigie.outbox o WHERE o.id > (SELECT last_value FROM t.seen)),
         mark AS MATERIALIZED (SELECT setval('t.seen', max(id)) FROM fresh HAVING max(id) IS NOT NULL)
    SELECT concat_ws(' ', event, company, array_to_string(rooms, ','), payload) FROM fresh LEFT JOIN mark ON true ORDER BY id
$$;
CREATE FUNCTION t.lost(reason_like text DEFAULT '%') RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(count), 0)::bigint FROM vigie.lost WHERE reason LIKE reason_like
$$;
CREATE FUNCTION t.state(name text) RETURNS text LANGUAGE sql AS $$ SELECT min(state) FROM vigie.rules WHERE event = name $$;
