#!/bin/bash
# A standby answers reads; promoted, it goes on with another epoch.
. "$(dirname "$0")/helper/tap.sh"
plan 9
standby=$VIGIE_WORK/standby
as_server=()
if [ "$(id -u)" = 0 ]; then
    as_server=(setpriv --reuid "$(stat -c %U "$VIGIE_WORK")" --regid "$(stat -c %G "$VIGIE_WORK")" --clear-groups)
fi
emit()
{
    ask "SELECT vigie.emit('c', 'e:e', ARRAY[ROW('$1', ARRAY['r:1'], '{}')::vigie.item])" >/dev/null
}
feed() { ask "SELECT string_agg(seq || ':' || company, ' ' ORDER BY seq) FROM vigie.pull(0, 100)"; }

epoch=$(ask 'SELECT epoch FROM vigie.hello()')
emit sequenced
feed >/dev/null
emit waiting
(
    cd "$VIGIE_WORK" || exit
    "${as_server[@]}" pg_basebackup -D "$standby" -R -X stream -c fast
    "${as_server[@]}" pg_ctl -D "$standby" -o '-p 5434' -l "$VIGIE_WORK/standby.log" -w start >/dev/null
)
trap '"${as_server[@]}" pg_ctl -D "$standby" -m immediate stop >/dev/null' EXIT
export PGPORT=5434

is "$(ask 'SELECT in_recovery FROM vigie.hello()')" t 'hello() tells a standby'
is "$(ask 'SELECT epoch FROM vigie.hello()')" "$epoch" 'whose epoch is that of the primary'
is "$(feed)" 1:sequenced 'it shows the feed and sequences nothing'
is "$(ask 'SELECT vigie.retain()')" standby 'retain() leaves a standby alone'
is "$(ask 'SELECT outbox_pending FROM vigie.status()')" 1 'status() works'
is "$(ask "SELECT upto FROM vigie.replay('sequenced', 0, 10)")" 1 'and so does replay()'

# The primary goes on while the standby has lost contact: both hand out position 2.
"${as_server[@]}" pg_ctl -D "$standby" -w promote >/dev/null
is "$([ "$(ask 'SELECT epoch FROM vigie.hello()')" != "$epoch" ] && echo differs)" differs \
    'promoted: another epoch, since both could hand out the same positions'
emit new
is "$(feed)" '1:sequenced 2:waiting 3:new' 'what waited and what is new, once'
is "$(ask 'SELECT vigie.retain()')" ok 'retention goes on'
finish
