#!/bin/bash
# What Vigie costs the business that writes: pgbench on `devis`, 70 % updates that publish nothing,
# 15 % changes of status and 15 % inserts that publish. Legs alternate in short slices of one run,
# in a throw-away cluster, so that only their ratios count:
#
#   plain    the same tables in a database without Vigie
#   awake    the nine rules, a bridge awake (looks every 4 ms)
#   asleep   the nine rules, a bridge asleep (every publishing commit rings)
#
# Environment: ROUNDS (6), SECONDS_EACH (4), CLIENTS (8), ROWS (100000), FSYNC (on), PG_BIN, TEST_USER.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
rounds=${ROUNDS:-6} slice=${SECONDS_EACH:-4} clients=${CLIENTS:-8} rows=${ROWS:-100000}
export PATH="${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)}:$PATH"

work=$(mktemp -d "${TMPDIR:-/tmp}/vigie-bench.XXXXXX")
as_server=()
if [ "$(id -u)" = 0 ]; then
    server_user=${TEST_USER:-postgres}
    chown "$server_user" "$work"
    as_server=(setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --clear-groups)
fi
bridge=
finish()
{
    [ -z "$bridge" ] || kill "$bridge" 2>/dev/null || true
    "${as_server[@]}" pg_ctl -D "$work/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

cd "$work"
"${as_server[@]}" initdb -D "$work/data" -A trust -U postgres -N >/dev/null
"${as_server[@]}" pg_ctl -D "$work/data" -l "$work/server.log" -w start -o "-c listen_addresses='' \
    -c unix_socket_directories=$work -c fsync=${FSYNC:-on} -c shared_buffers=256MB -c max_wal_size=4GB" \
    >/dev/null
unset PGDATABASE PGSERVICE PGOPTIONS
export PGHOST=$work PGPORT=5432 PGUSER=postgres

run_sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
fill="INSERT INTO public.devis (company_id, client_id, number, status, amount)
      SELECT c.company_id, c.id, 'B' || i, 'sent', i % 5000
        FROM generate_series(1, $rows) i
        JOIN (SELECT id, company_id, row_number() OVER (ORDER BY id) - 1 AS n, count(*) OVER () AS all_
                FROM public.clients) c ON c.n = i % c.all_"
createdb plain
run_sql plain -f "$root/sql/demo/field_service.sql" >/dev/null
run_sql plain -c "$fill" -c "VACUUM ANALYZE"
createdb rules
for change in roles log rules; do run_sql rules -f "$root/migrations/deploy/$change.sql" >/dev/null; done
run_sql rules -f "$root/sql/demo/field_service.sql" >/dev/null
for change in $(awk '/^event_/ { print $1 }' "$root/migrations/sqitch.plan"); do
    run_sql rules -f "$root/migrations/deploy/$change.sql" >/dev/null
done
run_sql rules -c "SET vigie.mute = on" -c "$fill" -c "VACUUM ANALYZE"

cat >"$work/script" <<EOF
\set kind random(1, 100)
\set id random(1, $rows)
\if :kind <= 70
UPDATE public.devis SET amount = amount + 1, updated_at = now() WHERE id = :id;
\elif :kind <= 85
UPDATE public.devis SET status = CASE status WHEN 'signed' THEN 'rejected' ELSE 'signed' END WHERE id = :id;
\else
INSERT INTO public.devis (company_id, client_id, number, amount)
SELECT company_id, client_id, gen_random_uuid(), amount FROM public.devis WHERE id = :id;
\endif
EOF

tps() # database
{
    pgbench -n -M prepared -f "$work/script" -c "$clients" -j 2 -T "$slice" "$1" 2>/dev/null |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
# A stand-in for the bridge: one session that pulls every few milliseconds, or one that sleeps.
start_bridge() # awake|asleep
{
    case $1 in
        awake) psql -XqAt -d rules -f - >/dev/null <<'EOF' &
DO $$
DECLARE
    after bigint := (SELECT last_seq FROM vigie.hello());
BEGIN
    COMMIT;
    LOOP
        after := coalesce((SELECT max(p.seq) FROM vigie.pull(after, 500) p), after);
        COMMIT;
        PERFORM pg_sleep(0.004);
        COMMIT;
    END LOOP;
END $$
EOF
            ;;
        asleep) (echo "LISTEN vigie_devis; SELECT vigie.sleep();"; sleep "$((slice + 30))") |
                    psql -XqAt -d rules >/dev/null & ;;
    esac
    bridge=$!
    # The bridge is there when it has said so: asleep holds the lock, awake has an open session.
    local until=$((SECONDS + 10))
    case $1 in
        asleep) until [ "$(run_sql rules -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'")" = 1 ]; do
                    [ $SECONDS -lt $until ] || { echo 'the bridge did not fall asleep' >&2; exit 1; }
                done ;;
        awake) until [ "$(run_sql rules -c "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%LOOP%' AND pid <> pg_backend_pid()")" = t ]; do
                    [ $SECONDS -lt $until ] || { echo 'the bridge did not start' >&2; exit 1; }
                done ;;
    esac
}
stop_bridge()
{
    kill "$bridge" 2>/dev/null || true
    wait "$bridge" 2>/dev/null || true
    bridge=
    run_sql rules -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = 'rules' AND pid <> pg_backend_pid()
                         AND backend_type = 'client backend'" >/dev/null
    run_sql rules -c "SELECT vigie.retain()" >/dev/null
}

echo "clients=$clients slices=${rounds}x${slice}s fsync=${FSYNC:-on} rows=$rows"
for round in $(seq 1 "$rounds"); do
    plain=$(tps plain)
    start_bridge awake; awake=$(tps rules); stop_bridge
    start_bridge asleep; asleep=$(tps rules); stop_bridge
    echo "$plain $awake $asleep" >>"$work/rounds"
    awk -v r="$round" -v p="$plain" -v w="$awake" -v s="$asleep" 'BEGIN {
        printf "round %d: plain %.0f tps, awake %.0f (%.2f), asleep %.0f (%.2f)\n", r, p, w, w / p, s, s / p }'
done
lost=$(run_sql rules -c "SELECT coalesce(sum(count), 0) FROM vigie.lost")
events=$(run_sql rules -c "SELECT last_seq FROM vigie.hello()")
for leg in 2 3; do
    awk -v leg=$leg '{ print $leg / $1 }' "$work/rounds" | sort -n | awk -v leg=$leg '
        { v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
          printf "%s: %.2f of plain (median of %d, %.2f to %.2f)\n", leg == 2 ? "awake" : "asleep", m, NR, v[1], v[NR] }'
done
echo "events $events, lost $lost"
[ "$events" -gt 0 ] && [ "$lost" = 0 ]
