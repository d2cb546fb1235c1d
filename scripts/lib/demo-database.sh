# shellcheck shell=bash disable=SC2154,SC2034 # the variables of scripts/demo
# The demo's database: a private cluster that keeps its data between runs, or one that exists.
# Sourced by scripts/demo: uses its root, state, runner and as_runner. Fills bridge_url.

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
    psql -XqAt -v ON_ERROR_STOP=1 "${admin[@]}" -d "$demo_name" \
        -v "password=$(cat "$state/business.password")" <<'EOF'
SELECT count(*) = 0 AS absent FROM pg_roles WHERE rolname = 'business' \gset
\if :absent
CREATE ROLE business LOGIN;
\endif
-- The business knows nothing of Vigie and needs no right on it.
ALTER ROLE business PASSWORD :'password';
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO business;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO business;
EOF
    write_url "postgresql://business:$(cat "$state/business.password")@127.0.0.1:$port/$demo_name"
    bridge_url="postgresql://vigie_bridge@/$demo_name?host=$(url_encode "$socket")&port=$port"
}

stop_cluster()
{
    local bin
    [ -e "$state/pg/postmaster.pid" ] || return 0
    bin=$(pg_bin)
    # A pid file whose server is gone is no server; pg_ctl knows the difference.
    if (cd / && "${as_runner[@]}" "$bin/pg_ctl" -D "$state/pg" status) >/dev/null 2>&1; then
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

# The bridge takes a password from a file only: moves the one in bridge_url there.
move_password()
{
    local login=${bridge_url#*://} rest password
    login=${login%%/*}
    [[ $login = *:*@* ]] || return 0
    login=${login%@*}
    password=$(printf '%b' "$(sed 's/\\/\\\\/g; s/%/\\x/g' <<<"${login#*:}")")
    (umask 077 && printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' <<<"$password")" >"$state/bridge.pgpass")
    [ ${#as_runner[@]} -eq 0 ] || chown "$runner" "$state/bridge.pgpass"
    rest=${bridge_url#*@}
    case $rest in
        *\?*) rest+='&' ;;
        */*) rest+='?' ;;
        *) rest+='/?' ;;
    esac
    bridge_url=${bridge_url%%://*}://${login%%:*}@${rest}passfile=$(url_encode "$state/bridge.pgpass")
}

use_database() # url, url for the bridge or nothing
{
    local url=$1 given=$2 rest known=''
    case $url in
        postgres://* | postgresql://*) ;;
        *) die "--database wants postgresql://user@host/name, not $url" ;;
    esac
    psql -XqAt "$url" -c 'SELECT 1' >/dev/null || die "no connection to $url"
    say "Using $(psql -XqAt "$url" -c "SELECT format('%s on PostgreSQL %s', current_database(), current_setting('server_version'))")"
    known=$(psql -XqAt "$url" -c "SELECT 1 FROM pg_roles WHERE rolname = 'vigie_bridge'")
    deploy "db:${url/#postgres:/postgresql:}" -d "$url"
    write_url "$url"

    rest=${url#*://}
    [[ ${rest%%/*} != *@* ]] || rest=${rest#*@}
    bridge_url=${given:-postgresql://vigie_bridge@$rest}
    if [ -n "$given" ]; then
        move_password
        return
    fi
    # Its password is only ours to choose when the role is ours: made just now, or by an earlier demo.
    if [ -z "$known" ]; then
        secret_file "$state/bridge.password"
        psql -XqAt -v ON_ERROR_STOP=1 -v "password=$(cat "$state/bridge.password")" "$url" \
            <<<"ALTER ROLE vigie_bridge PASSWORD :'password'"
    fi
    if [ -s "$state/bridge.password" ]; then
        bridge_url="postgresql://vigie_bridge:$(cat "$state/bridge.password")@$rest"
    fi
    psql -XqAt -w "$bridge_url" -c 'SELECT 1' >/dev/null ||
        die 'the bridge cannot log in as vigie_bridge: say how with --bridge-url postgresql://vigie_bridge:PASSWORD@…'
    move_password
}
