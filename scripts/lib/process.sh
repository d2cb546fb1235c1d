# shellcheck shell=bash
# Processes that outlive a line of a script: known by pid and start time, so that a pid that the
# system has given to somebody else since is never signalled.

# Nothing for a process that has ended, whether or not somebody has waited for it.
start_time() # pid
{
    # Field 22, counted after the command's name, which may hold spaces and parentheses.
    sed -n 's/.*) //; /^[^ZX]/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

remember_process() # pid file, pid
{
    echo "$2 $(start_time "$2")" >"$1"
}

# Prints the pid when the process of this file is still the one that was remembered.
recall_process() # pid file
{
    local pid started
    [ -s "$1" ] && read -r pid started <"$1" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# Ends it: a signal, some patience, then by force. Nothing to do is no error.
end_process() # pid file, signal, seconds
{
    local pid deadline
    if pid=$(recall_process "$1"); then
        kill -s "$2" "$pid" 2>/dev/null || true
        deadline=$((SECONDS + $3))
        while recall_process "$1" >/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.05; done
        if recall_process "$1" >/dev/null; then kill -s KILL "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$1"
}

# Looks again and again until a condition holds; false when it did not in time, or `alive` ended.
wait_until() # seconds, pid file of what must stay alive, command…
{
    local deadline=$((SECONDS + $1)) alive=$2
    shift 2
    until "$@"; do
        recall_process "$alive" >/dev/null && [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

port_is_free() # port
{
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

first_free_port() # from
{
    local port=$1
    until port_is_free "$port"; do port=$((port + 1)); done
    echo "$port"
}
