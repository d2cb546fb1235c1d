#!/bin/bash
# Deploy, revert, deploy again; with roles that are there already; without sqitch.
. "$(dirname "$0")/helper/tap.sh"
plan 17
here=$VIGIE_WORK/migrate
mkdir -p "$here"
cd "$VIGIE_ROOT/migrations" || exit

fresh() { createdb -O deployer "$1"; }
sqitch_on() { sqitch "${@:2}" "db:pg://deployer@/$1" >"$here/sqitch" 2>&1 && echo ok || cat "$here/sqitch"; }
by_psql() # database, script: as the deployer, what it said
{
    psql -XqAt -U deployer -d "$1" -f "$2" >"$here/psql" 2>&1 && echo ok || cat "$here/psql"
}
leftovers() # schemas, default privileges and grants of ours in a database
{
    ask "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'vigie%' AND nspname <> 'vigie_sqitch')
              + (SELECT count(*) FROM pg_default_acl WHERE defaclrole = to_regrole('vigie_owner'))
              + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                  WHERE n.nspname LIKE 'vigie%' AND nspname <> 'vigie_sqitch')" -d "$1"
}

# Another database of the cluster keeps Vigie: the template that this test's database is cloned from.
fresh second
is "$(sqitch_on second deploy --to-change log)" ok 'a second database of the cluster, roles being there'
is "$(sqitch_on second check --to-change log)" ok 'sqitch check agrees'
is "$(sqitch_on second verify --to-change log)" ok 'sqitch verify agrees'
is "$(SQITCH_CONFIG=sqitch.conf sqitch revert "db:pg://deployer@/second" </dev/null >/dev/null 2>&1 && echo reverted)" \
    '' 'a bare revert without a terminal reverts nothing'
is "$(sqitch_on second revert -y)" ok 'revert all'
is "$(leftovers second)" 0 'leaves nothing'
is "$(ask "SELECT count(*) FROM pg_roles WHERE rolname IN ('vigie_owner', 'vigie_bridge')")" 2 \
    'but the roles, which another database needs'
is "$(grep -c 'is kept' "$here/sqitch" || true)" 2 'and says so'
is "$(sqitch_on second deploy --to-change log)" ok 'deploy again'
sqitch_on second revert -y >/dev/null

# By psql alone
is "$(by_psql second deploy/roles.sql)" ok 'psql -f deploy/roles.sql'
is "$(by_psql second deploy/log.sql)" ok 'psql -f deploy/log.sql'
is "$(by_psql second verify/log.sql)" ok 'psql -f verify/log.sql'
by_psql second revert/log.sql >/dev/null
dropdb second

# In a cluster of its own the roles go too.
other=$VIGIE_WORK/other
as_server=()
if [ "$(id -u)" = 0 ]; then
    as_server=(setpriv --reuid "$(stat -c %U "$VIGIE_WORK")" --regid "$(stat -c %G "$VIGIE_WORK")" --clear-groups)
fi
(
    cd "$VIGIE_WORK" || exit
    "${as_server[@]}" initdb -D "$other" -A trust -U postgres -N >/dev/null
    "${as_server[@]}" pg_ctl -D "$other" -o "-c listen_addresses='' -c fsync=off -p 5433 -c unix_socket_directories=$VIGIE_WORK" \
        -l "$VIGIE_WORK/other.log" -w start >/dev/null
)
trap '"${as_server[@]}" pg_ctl -D "$other" -m immediate stop >/dev/null' EXIT
export PGPORT=5433
ask 'CREATE ROLE deployer LOGIN CREATEROLE' -d postgres
fresh only
is "$(sqitch_on only deploy --to-change log) $(sqitch_on only revert -y)" 'ok ok' \
    'deploy and revert in a cluster of its own, by a role that is no superuser'
is "$(ask "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'vigie%'" -d postgres)" 0 'leave no role'
ask 'CREATE ROLE vigie_owner NOLOGIN; CREATE ROLE vigie_bridge LOGIN; CREATE ROLE guest LOGIN' -d postgres
is "$(psql -XqAt -U guest -d only -f deploy/roles.sql 2>&1 | grep -c 'may not make itself one')" 1 \
    'who may not become vigie_owner is told whom to ask'
ask 'ALTER ROLE vigie_owner LOGIN' -d postgres
is "$(by_psql only deploy/roles.sql | grep -c 'vigie_owner can log in')" 1 'a vigie_owner that logs in is refused'
ask 'ALTER ROLE vigie_owner NOLOGIN CREATEROLE' -d postgres
is "$(by_psql only deploy/roles.sql | grep -c 'more rights than Vigie wants')" 1 \
    'a vigie_owner with too many rights is refused'
finish
