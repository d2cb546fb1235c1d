#!/bin/bash
# Sixteen writers with pauses, savepoints and rollbacks, two bridges pulling, rings turning:
# every committed event comes once to each bridge, in the same order, and never before its cause.
. "$(dirname "$0")/helper/tap.sh"
plan 9
here=$VIGIE_WORK/concurrency
mkdir -p "$here"

psql -XqAt -v ON_ERROR_STOP=1 <<'EOF'
-- What the business knows to have committed, and what it could see when it wrote.
CREATE TABLE public.truth (
    writer int NOT NULL, n int NOT NULL, seen bigint, PRIMARY KEY (writer, n));
CREATE PROCEDURE public.write(writer int, rounds int) LANGUAGE plpgsql AS $$
DECLARE
    fate float8;
BEGIN
    FOR n IN 1..rounds LOOP
        fate := random();
        -- The id of some other event that is visible now: our event must not precede it.
        INSERT INTO public.truth
        SELECT writer, n, (SELECT t.writer * 1000000 + t.n FROM public.truth t
                            WHERE t.writer <> write.writer ORDER BY random() LIMIT 1);
        IF fate < 0.3 THEN PERFORM pg_sleep(random() * 0.01); END IF;
        BEGIN
            PERFORM vigie.emit('vigie_truth', 'truth:written', ARRAY[ROW((writer % 4)::text,
                ARRAY['company:' || writer % 4],
                json_build_object('key', writer * 1000000 + n))::vigie.item]);
            IF fate > 0.9 THEN RAISE EXCEPTION 'savepoint' USING ERRCODE = 'VG001'; END IF;
        EXCEPTION WHEN SQLSTATE 'VG001' THEN
            PERFORM vigie.emit('vigie_truth', 'truth:written', ARRAY[ROW((writer % 4)::text,
                ARRAY['company:' || writer % 4],
                json_build_object('key', writer * 1000000 + n))::vigie.item]);
        END;
        IF fate < 0.15 THEN PERFORM pg_sleep(random() * 0.02); END IF;
        IF fate BETWEEN 0.4 AND 0.6 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END $$;
-- A bridge: pulls from where it is until told to stop and nothing is left.
CREATE TABLE public.received (bridge text, n bigint GENERATED ALWAYS AS IDENTITY, seq bigint, key bigint);
CREATE TABLE public.stop (reason text);
CREATE PROCEDURE public.bridge(name text) LANGUAGE plpgsql AS $$
DECLARE
    after bigint := 0;
    stopping boolean;
    got bigint;
BEGIN
    LOOP
        stopping := EXISTS (SELECT FROM public.stop);
        COMMIT;
        INSERT INTO public.received (bridge, seq, key)
        SELECT name, p.seq, (p.payload::json->>'key')::bigint FROM vigie.pull(after, 50) p;
        GET DIAGNOSTICS got = ROW_COUNT;
        COMMIT;
        EXIT WHEN stopping AND got = 0;
        after := greatest(after, (SELECT max(seq) FROM public.received WHERE bridge = name));
        IF random() < 0.3 THEN PERFORM pg_sleep(random() * 0.01); END IF;
    END LOOP;
END $$;
EOF

# The rings turn all the time, as they would in four days.
turn_rings()
{
    while [ ! -e "$here/stop" ]; do
        ask "UPDATE vigie.ring SET outbox_since = '-infinity'" >/dev/null
        ask "SELECT vigie.retain()" >>"$here/turns"
    done
}
(turn_rings) & turner=$!
psql -Xq -c "CALL public.bridge('one')" 2>"$here/one" & one=$!
psql -Xq -c "CALL public.bridge('two')" 2>"$here/two" & two=$!
# A transaction that stays open all along and writes at both ends.
psql -Xq >/dev/null 2>"$here/long" <<'EOF' & long=$!
BEGIN;
INSERT INTO public.truth VALUES (99, 1);
SELECT vigie.emit('c', 'e', ARRAY[ROW('9', ARRAY['r:9'], '{"key": 99000001}')::vigie.item]);
SELECT pg_sleep(2);
INSERT INTO public.truth VALUES (99, 2);
SELECT vigie.emit('c', 'e', ARRAY[ROW('9', ARRAY['r:9'], '{"key": 99000002}')::vigie.item]);
COMMIT;
EOF
writers=()
for writer in $(seq 1 16); do
    psql -Xq -c "CALL public.write($writer, 150)" 2>"$here/writer$writer" & writers+=($!)
done
failures=0
for pid in "${writers[@]}" $long; do wait "$pid" || failures=$((failures + 1)); done
is $failures 0 'every writer ends well'
touch "$here/stop"
wait $turner
ask "INSERT INTO public.stop VALUES ('done')"
failures=0
for pid in $one $two; do wait "$pid" || failures=$((failures + 1)); done
is "$failures $(cat "$here"/one "$here"/two)" '0 ' 'both bridges end well'

is "$(ask "SELECT count(*) > 1000 FROM public.truth")" t 'there was something to see'
is "$(ask "SELECT count(*) FROM public.truth t FULL JOIN public.received r
             ON r.bridge = 'one' AND r.key = t.writer * 1000000 + t.n
          WHERE (t.n IS NULL AND r.bridge = 'one') OR (r.key IS NULL AND t.n IS NOT NULL)")" 0 \
    'what has committed has come, and nothing else'
is "$(ask "SELECT count(*) - count(DISTINCT key) FROM public.received WHERE bridge = 'one'")" 0 \
    'each once'
is "$(ask "SELECT count(*) FROM (SELECT seq, row_number() OVER (ORDER BY n) AS place
                                   FROM public.received WHERE bridge = 'one') r
            WHERE seq <> place")" 0 'in order of position, without a hole'
is "$(ask "SELECT count(*) FROM (SELECT seq, key FROM public.received WHERE bridge = 'one') a
             FULL JOIN (SELECT seq, key FROM public.received WHERE bridge = 'two') b USING (seq, key)
            WHERE a IS NULL OR b IS NULL")" 0 'the other bridge has got the same'
is "$(ask "SELECT count(*) FROM public.truth t
             JOIN public.received e ON e.bridge = 'one' AND e.key = t.writer * 1000000 + t.n
             JOIN public.received c ON c.bridge = 'one' AND c.key = t.seen
            WHERE c.seq > e.seq")" 0 'no event precedes one that its writer could see'
is "$(grep -c '^ok$' "$here/turns" | awk '{ print ($1 > 3) }')" 1 'while the outbox turned'
echo "# $(ask "SELECT count(*) || ' events' FROM vigie.feed"), $(wc -l <"$here/turns") turns," \
    "$(ask "SELECT count(*) || ' late' FROM (SELECT outbox_id < max(outbox_id) OVER (ORDER BY seq
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS late FROM vigie.feed) l WHERE late")"
finish
