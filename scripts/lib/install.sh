# shellcheck shell=bash
# Which Debian packages the scripts need, and how the missing ones get in. Needs say.sh.
# An entry `command=package` is satisfied by the command, wherever it comes from.

packages_for() # build | database | check | test
{
    local pg=15 clang=14
    case $(. /etc/os-release && echo "${VERSION_ID:-}") in
        13) pg=17 clang=19 ;;
    esac
    case $1 in
        build)
            echo gcc libc6-dev cmake=cmake ninja=ninja-build pkg-config=pkg-config openssl=openssl \
                libuv1-dev libwebsockets-dev libwebsockets-evlib-uv libpq-dev libjwt-dev \
                libjansson-dev libyaml-dev libssl-dev uthash-dev
            ;;
        database) echo "postgresql-$pg" sqitch=sqitch libdbd-pg-perl ;;
        check)
            echo "clang-$clang" clang=clang clang-format=clang-format clang-tidy=clang-tidy \
                shellcheck=shellcheck cppcheck=cppcheck "libclang-rt-$clang-dev" node=nodejs npm=npm
            ;;
        test)
            echo libcmocka-dev "postgresql-$pg-pgtap" "postgresql-$pg-plpgsql-check" \
                libtap-parser-sourcehandler-pgtap-perl chromium=chromium node=nodejs npm=npm \
                curl=curl python3-socketio python3-requests python3-websocket
            ;;
    esac
}

installed() # entry
{
    case $1 in
        *=*) command -v "${1%%=*}" >/dev/null ;;
        *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    esac
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# Installing a server would also start one of the system's own, on port 5432: nobody asked for that.
apt_install_postgresql()
{
    local conf=/etc/postgresql-common/createcluster.d/vigie-no-main.conf
    as_root mkdir -p "$(dirname "$conf")"
    printf 'create_main_cluster = false\n' | as_root tee "$conf" >/dev/null
    local status=0
    apt_install "$@" || status=$?
    as_root rm -f "$conf"
    return "$status"
}

install_missing() # kinds…
{
    local kind entry missing=()
    command -v dpkg-query >/dev/null ||
        die "only Debian's packages are known here; CONTRIBUTING.md says what is needed elsewhere"
    for kind in "$@"; do
        for entry in $(packages_for "$kind"); do
            installed "$entry" || missing+=("${entry##*=}")
        done
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    say "Installing what is missing: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "please install them as root: apt-get install ${missing[*]}"
    fi
    local log
    log=$(mktemp)
    quietly "$log" as_root apt-get update || die 'apt-get update failed'
    case " ${missing[*]} " in
        *' postgresql-'*) quietly "$log" apt_install_postgresql "${missing[@]}" || die 'apt-get failed' ;;
        *) quietly "$log" apt_install "${missing[@]}" || die 'apt-get failed' ;;
    esac
    rm -f "$log"
}

# The tools that npm brings; nothing of it is needed to run the product.
install_node_modules() # project folder
{
    local stamp=$1/node_modules/.package-lock.json log
    [ -e "$stamp" ] && [ ! "$1/package-lock.json" -nt "$stamp" ] && return 0
    say 'Installing the test tools of package-lock.json'
    log=$(mktemp)
    quietly "$log" env -C "$1" PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund ||
        die 'npm ci failed'
    rm -f "$log"
}
