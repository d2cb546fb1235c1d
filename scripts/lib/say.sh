# shellcheck shell=bash
# Words on the terminal, for the scripts that source this.

if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi

heading()
{
    printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
}

say()
{
    printf '%s\n' "$*"
}

# Text without the passwords of the URLs in it: too much is masked rather than too little.
mask()
{
    sed -E 's#(://[^:/@[:space:]]*):[^[:space:]]*@#\1:…@#g; s#(password=)[^&[:space:]]*#\1…#g'
}

warn()
{
    printf '%s: %s\n' "$(basename "$0")" "$*" | mask >&2
}

die()
{
    warn "$@"
    exit 1
}

# Runs a command that talks a lot: silent when it goes well, all of it when it does not.
quietly() # log, command…
{
    local log=$1 status=0
    shift
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        mask <"$log" >&2
        warn "failed ($status): $*"
    fi
    return "$status"
}
