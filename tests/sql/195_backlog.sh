#!/bin/bash
# A backlog far beyond a batch, under a statement_timeout in proportion: a bridge gets through all the
# same, after a long absence as after a restore, with two bridges and writers at it. Each event once.
. "$(dirname "$0")/helper/tap.sh"
plan 16
here=$VIGIE_WORK/backlog
mkdir -p "$here"
rows=200000

psql -XqAt -v ON_ERROR_STOP=1 <<'SQL'
UPDATE vigie.config SET value = '100000000' WHERE name = 'outbox_quota_rows';
-- Events with the payloads first to last, a thousand a transaction.
CREATE PROCEDURE public.fill(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
    FOR start IN first..last BY 1000 LOOP
        PERFORM vigie.emit('vigie_devis', 'devis:created',
            array_agg(ROW('1', ARRAY['company:1'], json_build_object('n', n, 'text', repeat('x', 100)))::vigie.item ORDER BY n))
           FROM generate_series(start, least(start + 999, last)) AS n;
        COMMIT;
    END LOOP;
END $$;
SQL

# What a bridge asks, as a bridge with little patience.
impatient() { PGOPTIONS='-c statement_timeout=200' psql -XqAt -U vigie_bridge -c "$1" 2>>"$here/refused"; }
refused() { grep -c 'statement timeout' "$here/refused" || true; }
feed_is_whole() # first seq, sentence
{
    is "$(ask "SELECT count(*) || ' ' || count(DISTINCT outbox_id) || ' ' || max(seq) - min(seq) + 1
                 FROM vigie.feed WHERE seq >= $1")" "$2 $2 $2" "$3"
}
one_event() # number
{
    echo "SELECT vigie.emit('c', 'e:e', ARRAY[ROW('1', ARRAY['r:1'], '{\"n\": $1}')::vigie.item])"
}

# --- after a long absence ----------------------------------------------------------------------
ask 'SELECT vigie.hello()' >/dev/null
: >"$here/refused"
# It writes before everything else and commits in the middle of the walk.
mkfifo "$here/late"
psql -Xq <"$here/late" >/dev/null 2>&1 & late=$!
exec 3>"$here/late"
echo "BEGIN; $(one_event 0); \\! touch $here/begun" >&3
until [ -e "$here/begun" ]; do sleep 0.02; done
ask "CALL public.fill(1, $rows)"

after=0
turns=0
while [ "$after" -lt $rows ] && [ "$(refused)" -lt 20 ] && [ $turns -lt 500 ]; do
    turns=$((turns + 1))
    # As the bridge does it: nothing is read below the position, so that each look sequences.
    got=$(impatient "SELECT count(*) FROM vigie.pull($after + 100000000, 100)") || true
    after=$(ask 'SELECT last_seq FROM vigie.hello()')
    if [ $turns = 3 ]; then
        printf 'COMMIT;\n\\q\n' >&3
        exec 3>&-
        wait $late
    fi
done
is "${got:-}" 0 'a look under a tight statement_timeout works'
is "$([ "$after" -ge $rows ] && echo through)" through "a backlog of $rows events is sequenced in the end"
is "$([ $turns -ge 40 ] && echo many)" many 'in turns as small as the bridge asks for'
for _ in 1 2 3; do ask 'SELECT count(*) FROM vigie.pull(100000000, 100)' >/dev/null; done
feed_is_whole 1 $((rows + 1)) 'each once, without a hole'
is "$(ask "SELECT count(*) FROM (SELECT outbox_id < lag(outbox_id) OVER (ORDER BY seq) AS back FROM vigie.feed) s WHERE back")" 1 \
    'in the order of insertion, but for the one that came late'
is "$(ask "SELECT payload->>'n' FROM vigie.feed ORDER BY seq DESC LIMIT 1")" 0 'which came in the next window'
is "$(ask 'SELECT outbox_pending FROM vigie.status()')" 0 'nothing waits any more'
echo "# $turns turns, $(refused) of them over time"

# --- a large window behind many old events ------------------------------------------------------
ask "UPDATE vigie.config SET value = '10' WHERE name = 'advance_batch'"
ask "CALL public.fill(1, 100)"
for _ in $(seq 1 15); do ask 'SELECT count(*) FROM vigie.pull(100000000, 100)' >/dev/null; done
feed_is_whole $((rows + 2)) 100 'a window above the batch is walked past all that is older'
ask "UPDATE vigie.config SET value = '20000' WHERE name = 'advance_batch'"

# --- after a restore ---------------------------------------------------------------------------
# The last 100,000 were not sequenced yet; transaction ids are those of somewhere else.
kept=$((rows / 2))
before=$(ask "DELETE FROM vigie.outbox WHERE id > $rows;
     DELETE FROM vigie.feed WHERE seq > $kept;
     UPDATE vigie.outbox SET xid = (xid::text::bigint + 1000000)::text::xid8;
     UPDATE vigie.tick SET origin = 'elsewhere', prev = '5000000:5000000:', snap = '5000000:5000000:', last_seq = $kept;
     SELECT count(*) FROM vigie.outbox o WHERE NOT EXISTS (SELECT FROM vigie.feed f WHERE f.outbox_id = o.id)")
: >"$here/refused"
# Two bridges arrive at once, and writers have begun: one of them before the first step.
rm -f "$here/begun" "$here/late" "$here/moved"
mkfifo "$here/late"
psql -Xq <"$here/late" >/dev/null 2>&1 & late=$!
exec 3>"$here/late"
echo "BEGIN; $(one_event -1); \\! touch $here/begun" >&3
until [ -e "$here/begun" ]; do sleep 0.02; done
bridge() # name
{
    local last='' tries=0
    while [ -z "$last" ] && [ $tries -lt 400 ] && [ "$(refused)" -lt 20 ]; do
        tries=$((tries + 1))
        # A refusal (both at once, in the first moment) is what a bridge tries again after as well.
        last=$(impatient 'SELECT last_seq FROM vigie.hello()') || last=''
    done
    echo "$tries ${last:-never}" >"$here/$1"
}
bridge one & one=$!
bridge two & two=$!
written=0
while kill -0 $one 2>/dev/null || kill -0 $two 2>/dev/null; do
    written=$((written + 1))
    ask "$(one_event $((1000000 + written)))" >/dev/null
    if [ $written = 5 ]; then
        printf 'COMMIT;\n\\q\n' >&3
        exec 3>&-
        wait $late
    fi
done
[ $written -ge 5 ] || { printf 'COMMIT;\n\\q\n' >&3; exec 3>&-; wait $late; }
wait $one $two
for _ in 1 2 3; do ask 'SELECT count(*) FROM vigie.pull(100000000, 100)' >/dev/null; done
is "$(grep -c never "$here/one" "$here/two" | tr '\n' ' ')" "$here/one:0 $here/two:0 " 'both bridges are greeted in the end'
is "$([ $written -gt 5 ] && echo more)" more 'while writers go on'
is "$(awk '{ steps += $1 } END { print (steps > 4) }' "$here/one" "$here/two")" 1 'after several steps'
feed_is_whole 1 $((kept + before + written + 1)) 'what waited, what was written meanwhile and what committed late: each once'
is "$(ask "SELECT count(*) FROM (SELECT outbox_id < lag(outbox_id) OVER (ORDER BY seq) AS back
             FROM vigie.feed WHERE seq > $kept AND payload->>'n' <> '-1') s WHERE back")" 0 'in the order of insertion'
is "$(ask 'SELECT count(*) FROM vigie.outbox b WHERE b.xid > pg_current_xact_id()')" 0 \
    'no foreign transaction id stays'
is "$(ask 'SELECT origin = vigie.origin() FROM vigie.tick ORDER BY tick_id DESC LIMIT 1')" t 'the log stands here'
is "$(ask 'SELECT vigie.retain()')" ok 'and retention goes on'
echo "# one: $(cat "$here/one"), two: $(cat "$here/two"), $written written meanwhile, $(refused) over time"
finish
