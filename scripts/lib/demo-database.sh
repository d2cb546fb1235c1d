# shellcheck shell=bash disable=SC2154,SC2034 # the variables of scripts/demo
# The demo's database: a private cluster that keeps its data between runs, or one that exists.
# Sourced by scripts/demo: uses its root, state, runner and as_runner; for a database that exists also
# database_url, bridge_login and their passwords, database_password and bridge_password. Fills bridge_url and,
# of the private cluster, dba_url.

demo_name=vigie_demo

pg_bin()
{
    local found
    found=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    [ -x "$found/initdb" ] || die 'PostgreSQL is not installed (package postgresql-15)'
    echo "$found"
}

url_encode()
{
    local LC_ALL=C text=$1 i c
    for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        case $c in
            [A-Za-z0-9._~-]) printf '%s' "$c" ;;
            *) printf '%%%02X' "'$c" ;;
        esac
    done
}

# A socket's path must fit in 107 bytes.
socket_folder()
{
    local folder=$state/run
    if [ ${#folder} -gt 85 ]; then
        folder=/tmp/vigie-demo-$(cksum <<<"$state" | cut -d' ' -f1)
    fi
    if [ ! -d "$folder" ]; then
        mkdir -m 700 "$folder"
        [ ${#as_runner[@]} -eq 0 ] || chown "$runner" "$folder"
    fi
    [ "$(stat -c %U "$folder")" = "$runner" ] || die "$folder belongs to somebody else"
    echo "$folder"
}

secret_file() # path; made once, random
{
    [ -s "$1" ] || (umask 077 && openssl rand -hex 32 | tr -d '\n' >"$1")
    [ ${#as_runner[@]} -eq 0 ] || chown "$runner" "$1"
}

start_cluster()
{
    local bin socket port
    bin=$(pg_bin)
    if [ ! -e "$state/pg/PG_VERSION" ]; then
        say 'Making a private PostgreSQL cluster'
        rm -rf "$state/pg"
        # The socket's folder is the runner's alone, so that trust there means the runner.
        quietly "$state/initdb.log" "${as_runner[@]}" "$bin/initdb" -D "$state/pg" -U postgres \
            --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 || exit 1
    fi
    [ "$(cat "$state/pg/PG_VERSION")" = "$("$bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')" ] ||
        die "the cluster was made by PostgreSQL $(cat "$state/pg/PG_VERSION"): scripts/demo clean deletes it"

    socket=$(socket_folder)
    port=$(first_free_port 54320)
    say "Starting it on 127.0.0.1:$port and in $socket"
    quietly "$state/pg_ctl.log" "${as_runner[@]}" "$bin/pg_ctl" -D "$state/pg" -l "$state/postgresql.log" -w -t 60 \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='$socket'" start 9>&- ||
        { tail -n 20 "$state/postgresql.log" >&2; exit 1; }

    local admin=(-h "$socket" -p "$port" -U postgres)
    if ! psql -XqAt "${admin[@]}" -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$demo_name'" | grep -q 1; then
        createdb "${admin[@]}" "$demo_name"
    fi
    PGHOST=$socket PGPORT=$port PGUSER=postgres deploy "db:pg:///$demo_name" \
        "${admin[@]}" -d "$demo_name"

    secret_file "$state/business.password"
    PASSWORD_FILE=$state/business.password psql -XqAt -v ON_ERROR_STOP=1 "${admin[@]}" -d "$demo_name" <<'EOF'
\set password `cat "$PASSWORD_FILE"`
SELECT count(*) = 0 AS absent FROM pg_roles WHERE rolname = 'business' \gset
\if :absent
CREATE ROLE business LOGIN;
\endif
-- The business knows nothing of Vigie and needs no right on it.
ALTER ROLE business PASSWORD :'password';
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO business;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO business;
EOF
    write_url "$(name_pgpass "postgresql://business@127.0.0.1:$port/$demo_name" \
        "$state/business.pgpass" "$(cat "$state/business.password")")"
    local address
    address="/$demo_name?host=$(url_encode "$socket")&port=$port"
    bridge_url=postgresql://vigie_bridge@$address
    dba_url=postgresql://postgres@$address
}

# A pid file whose server is gone is no server; pg_ctl knows the difference.
cluster_runs()
{
    local bin
    [ -e "$state/pg/postmaster.pid" ] || return 1
    bin=$(pg_bin)
    (cd / && "${as_runner[@]}" "$bin/pg_ctl" -D "$state/pg" status) >/dev/null 2>&1
}

stop_cluster()
{
    local bin
    if cluster_runs; then
        bin=$(pg_bin)
        (cd / && "${as_runner[@]}" "$bin/pg_ctl" -D "$state/pg" -m fast -w -t 30 stop) >/dev/null 2>&1 ||
            (cd / && "${as_runner[@]}" "$bin/pg_ctl" -D "$state/pg" -m immediate -w stop) >/dev/null
    fi
}

# How people and scripts reach the database.
write_url()
{
    (umask 077 && printf '%s\n' "$1" >"$state/database.url")
}

# Migrations, with the demo business in between: the rules that ship are about its tables.
deploy() # sqitch target, psql arguments…
{
    local target=$1
    shift
    say 'Deploying the migrations'
    local tables
    tables=$(psql -XqAt -v ON_ERROR_STOP=1 "$@" -c "SELECT count(*) FROM unnest(ARRAY['companies','users','clients','devis','factures','interventions','messages']) AS name WHERE to_regclass('public.' || name) IS NOT NULL")
    case $tables in
        0)
            migrate "$target" --to-change rules
            say 'Loading the demo business'
            quietly "$state/business.log" psql -Xq -v ON_ERROR_STOP=1 "$@" -f "$root/sql/demo/field_service.sql" || exit 1
            ;;
        7) ;;
        *) die "the database has $tables of the seven tables of the demo business: nothing was loaded; give an empty database" ;;
    esac
    migrate "$target"
}

migrate() # sqitch target, arguments…
{
    local target=$1
    shift
    SQITCH_FULLNAME='Vigie demo' SQITCH_EMAIL=demo@localhost \
        quietly "$state/sqitch.log" env -C "$root/migrations" sqitch deploy "$@" "$target" || exit 1
}

# ---- a database that exists --------------------------------------------------------------------

# Judges the logins before the long work: the one that was given, and the bridge's when its role is
# there already.
reach_database()
{
    local said
    database_address=$(name_pgpass "$database_url" "$state/database.pgpass" "$database_password")
    said=$(try_login "$database_address") || die "no connection to $database_url: $said"
    bridge_role=$(psql -XqAtw "$database_address" -c "SELECT 1 FROM pg_roles WHERE rolname = 'vigie_bridge'")
    [ -z "$bridge_role" ] || log_bridge_in
}

use_database()
{
    say "Using $(psql -XqAtw "$database_address" -c "SELECT format('%s on PostgreSQL %s', current_database(), current_setting('server_version'))")"
    # For the words of scripts/demo clean.
    grep -qxF "$database_url" "$state/databases" 2>/dev/null || printf '%s\n' "$database_url" >>"$state/databases"
    [ -z "$database_password" ] || local -x PGPASSFILE=$state/database.pgpass
    deploy "db:${database_url/#postgres:/postgresql:}" -w -d "$database_address"
    write_url "$database_address"
    if [ -z "$bridge_role" ]; then
        choose_bridge_password
        log_bridge_in
    fi
}

# Ours to choose only when the role was made just now.
choose_bridge_password()
{
    if [ -z "$bridge_password" ]; then
        secret_file "$state/bridge.password"
        bridge_password=$(cat "$state/bridge.password")
    fi
    PASSWORD=$bridge_password psql -XqAtw -v ON_ERROR_STOP=1 "$database_address" <<'EOF'
\set password `printf %s "$PASSWORD"`
ALTER ROLE vigie_bridge PASSWORD :'password';
EOF
}

# The bridge takes a password from a file only.
log_bridge_in()
{
    local said rest=${database_url#*://} login=$bridge_login password=$bridge_password
    [[ ${rest%%[/?]*} != *@* ]] || rest=${rest#*@}
    if [ -z "$login" ]; then
        login=postgresql://vigie_bridge@$rest
        password=$(cat "$state/bridge.password" 2>/dev/null || true)
    fi
    bridge_url=$(name_pgpass "$login" "$state/bridge.pgpass" "$password")
    [ ! -e "$state/bridge.pgpass" ] || give_to_runner "$state/bridge.pgpass"
    said=$(try_login "$bridge_url" "${as_runner[@]}") && return
    [ -z "$bridge_login" ] || die "the bridge cannot log in with --bridge-url $bridge_login: $said"
    bridge_is_refused "$said" "--bridge-url 'postgresql://vigie_bridge:…@$rest'"
}

bridge_is_refused() # what PostgreSQL said, the option that would help
{
    case $1 in
        *'password authentication failed'* | *'no password supplied'*) ;;
        *) die "the bridge cannot log in as vigie_bridge: $1; say how with $2" ;;
    esac
    warn 'the role vigie_bridge exists there with a password that this demo does not know.'
    cat >&2 <<EOF
  Give it one, as a superuser or as who made it:
    ALTER ROLE vigie_bridge PASSWORD '…';
  then start the demo again with it:
    scripts/demo --database … $2
EOF
    exit 1
}

# Prints what PostgreSQL says about a login that it refuses.
try_login() # url, command prefix…
{
    local url=$1 said
    shift
    said=$(cd / && PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10} "$@" psql -XqAtw "$url" -c 'SELECT 1' 2>&1 >/dev/null) &&
        return
    # Which of the demo's own files the password was in helps nobody.
    sed '/^password retrieved from file/d' <<<"${said#psql: error: }"
    return 1
}

# ---- URLs and their passwords: in files, out of command lines and of what is printed -----------

# Says what is wrong with a URL, never what is in it: a password may be where none is expected.
judge_url() # option, url
{
    local rest=${2#*://} address good='postgresql://user@host/name'
    [[ $2 =~ ^postgres(ql)?:// ]] || die "$1 wants $good"
    [[ $2 != *[[:space:]]* ]] || die "$1 wants $good, without spaces (%20)"
    [[ $(sed 's/%[0-9A-Fa-f][0-9A-Fa-f]//g' <<<"$2") != *%* ]] || die "$1: a % is written %25 in a URL"
    address=${rest%%[/?]*}
    [[ ${rest#"$address"} != *@* ]] || die "$1: in a password, / is written %2F, ? %3F and @ %40"
    [[ $address != *@*@* ]] || die "$1: in a password, @ is written %40"
    [[ ! $2 =~ [?\&](user|password|sslpassword)= ]] ||
        die "$1 wants user and password as in postgresql://user:…@host/name"
    address=${address##*@}
    [[ $address =~ ^(([A-Za-z0-9._%-]*|\[[0-9A-Fa-f:.%]+\])(:[0-9]{1,5})?(,|$))*$ ]] ||
        die "$1 wants $good, or host:port instead of host"
}

password_of() # url
{
    local login=${1#*://}
    login=${login%%[/?]*}
    [[ $login = *:*@* ]] || return 0
    login=${login%@*}
    printf '%b' "$(sed 's/\\/\\\\/g; s/%/\\x/g' <<<"${login#*:}")"
}

without_password() # url
{
    local rest=${1#*://} login
    login=${rest%%[/?]*}
    if [[ $login = *:*@* ]]; then
        printf '%s://%s@%s' "${1%%://*}" "${login%%:*}" "${rest#*@}"
    else
        printf '%s' "$1"
    fi
}

# A URL that finds its password, when there is one, in a file that is written for it.
name_pgpass() # url, path, password
{
    local url=$1
    if [ -n "$3" ]; then
        (umask 077 && printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' <<<"$3")" >"$2")
        case ${url#*://} in
            *\?*) url+='&' ;;
            */*) url+='?' ;;
            *) url+='/?' ;;
        esac
        url+=passfile=$(url_encode "$2")
    fi
    printf '%s' "$url"
}
