# shellcheck shell=bash
# For the shell files: plan N, is GOT WANTED SENTENCE, done_testing. Sourced.
set -euo pipefail
tests=0
broken=0

plan() { echo "1..$1"; planned=$1; }

is()
{
    tests=$((tests + 1))
    if [ "$1" = "$2" ]; then
        echo "ok $tests - $3"
    else
        broken=$((broken + 1))
        printf 'not ok %d - %s\n#   have: %s\n#   want: %s\n' "$tests" "$3" "$1" "$2"
    fi
}

finish() { [ "$tests" -eq "$planned" ] && [ "$broken" -eq 0 ]; }

# One value from the database of the test.
ask() { psql -XqAt -v ON_ERROR_STOP=1 "${@:2}" -c "$1"; }
