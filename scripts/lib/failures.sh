# shellcheck shell=bash
# What a person needs of a log to know what failed: read from it, never all of it.

# From node's TAP: the names of the tests that failed, what they say, the first line of their stack,
# and their diagnostics (SEED=…). A test that failed because one inside it did says nothing new.
tap_failures() # file of tests, TAP
{
    awk -v file="$1" '
        function indent() { match($0, /^ */); return RLENGTH }
        function flush() { if (said != "") printf "%s", said; said = "" }
        function tell(text) { if (lines++ < 25) said = said "    " text "\n" }
        yaml == 0 && /^ *not ok [0-9]+/ {
            flush()
            name = $0; sub(/^ *not ok [0-9]+ (- )?/, "", name)
            said = "✖ " name " (" file ")\n"; lines = 0; failing = 1; level = indent(); next
        }
        yaml == 0 && /^ *ok [0-9]+/ { flush(); failing = 0; noted = 0; next }
        /^ *---$/ && !yaml { yaml = 1; block = ""; key = indent(); next }
        yaml && /^ *\.\.\.$/ && indent() == key { yaml = 0; noted = 0; next }
        yaml && failing {
            if (indent() <= key && /^ *[a-zA-Z_]+:/) {
                block = $1
                if (/failureType: .subtestsFailed/) { said = ""; failing = 0 }
                # The file itself failed: why is in what it wrote before.
                if (block == "exitCode:") for (i = noted > 15 ? noted - 15 : 0; i < noted; i++) tell(notes[i])
                if (block == "error:" && !/\|-$/) { text = $0; sub(/^ *error: /, "", text); tell(text) }
            } else if (block == "error:") tell(substr($0, key + 3))
            else if (block == "stack:") { text = $0; sub(/^ */, "", text); tell("at " text); block = "" }
            next
        }
        yaml { next }
        /^ *# Subtest: / { flush(); failing = 0; next }
        /^ *# (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [0-9]/ { next }
        /^ *# / {
            text = $0; sub(/^ *# /, "", text)
            if (failing && indent() == level) tell(text); else notes[noted++] = text
        }
        END { flush() }' "$2"
}

# From any other log: the lines that say that something failed, each with a few that follow it.
failing_lines() # log
{
    grep -aE -A 12 '^([0-9]+: )?not ok |[1-9][0-9]* failed$|\*\*\*|(error|ERROR|FATAL|runtime error): |AddressSanitizer|^SUMMARY: ' "$1" |
        grep -avE '^([0-9]+[:-] ?)?ok |^--$'
}

# The first lines of what is read, and how much more there is.
at_most() # lines, where the rest is
{
    awk -v most="$1" -v rest="$2" 'NR <= most { print } END { if (NR > most) print "… and " NR - most " lines more: " rest }'
}
