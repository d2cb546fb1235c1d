#!/bin/bash
# Dump and restore: the log goes on in the new database, with another epoch and nothing lost.
. "$(dirname "$0")/helper/tap.sh"
plan 10
here=$VIGIE_WORK/restore
mkdir -p "$here"

emit() # company, database
{
    ask "SELECT vigie.emit('c', 'e:e', ARRAY[ROW('$1', ARRAY['r:1'], '{\"z\":1,\"a\":2}')::vigie.item])" \
        -d "$2" >/dev/null
}
feed() { ask "SELECT string_agg(seq || ':' || company, ' ' ORDER BY seq) FROM vigie.pull(0, 100)" -d "$1"; }

ask 'SELECT vigie.hello()' >/dev/null
emit 1 "$PGDATABASE"
emit 2 "$PGDATABASE"
is "$(feed "$PGDATABASE")" '1:1 2:2' 'before'
emit waiting "$PGDATABASE"
ask "UPDATE vigie.config SET value = '20000' WHERE name = 'max_payload_bytes'"
# Transactions go by, so that the restored log is behind.
epoch=$(ask 'SELECT epoch FROM vigie.hello()')
# hello() of the same database sequences nothing.
is "$(ask 'SELECT outbox_pending FROM vigie.status()')" 1 'one event waits'

for form in custom plain; do
    createdb "restored_$form"
    case $form in
        custom) pg_dump -Fc -f "$here/dump" && pg_restore --exit-on-error -d restored_custom "$here/dump" ;;
        plain) pg_dump -f "$here/dump.sql" && psql -XqAt -v ON_ERROR_STOP=1 -d restored_plain \
                   -f "$here/dump.sql" >/dev/null ;;
    esac
    emit new "restored_$form"
    new_epoch=$(ask 'SELECT epoch FROM vigie.hello()' -d "restored_$form")
    is "$([ "$new_epoch" != "$epoch" ] && echo differs)" differs "$form: another epoch"
    is "$(feed "restored_$form")" '1:1 2:2 3:waiting 4:new' "$form: what waited and what is new, once"
    is "$(ask 'SELECT max_payload_bytes FROM vigie.gate' -d "restored_$form")" 20000 \
        "$form: settings are kept"
    (cd "$VIGIE_ROOT/migrations" && psql -XqAt -v ON_ERROR_STOP=1 -d "restored_$form" \
        -f verify/log.sql) >"$here/verify" 2>&1 && verified=ok || verified=$(cat "$here/verify")
    is "$verified" ok "$form: the verify script agrees, access rights and all"
    dropdb "restored_$form"
done
finish
