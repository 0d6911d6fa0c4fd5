# shellcheck shell=bash
# How the project's scripts speak: what they do, how long it took, and what to do when it did not work.
# In: nothing. Out: functions. All of it goes to stderr; stdout is for data.
# Invariant: sourcing this file changes nothing but these names.

say()  { printf '%s\n' "$*" >&2; }
note() { printf '  %s\n' "$*" >&2; }
fail() { printf '\nfailed: %s\n' "$1" >&2; shift; local line; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 1; }

# Seconds and tenths since the moment given (a value of $EPOCHREALTIME).
since() {
    local from=${1/[.,]/} now=${EPOCHREALTIME/[.,]/}
    local tenths=$(( (now - from) / 100000 ))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# step "what is done" command…   quiet while it goes well; the end of its output when it does not.
step() {
    local what=$1 from=$EPOCHREALTIME log code=0
    shift
    log=$(mktemp)
    if [ -t 2 ]; then printf '  %-44s …' "$what" >&2; fi
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ -t 2 ]; then printf '\r' >&2; fi
    if [ "$code" != 0 ]; then
        printf '  %-44s failed, code %s after %s\n' "$what" "$code" "$(since "$from")" >&2
        tail -n 40 "$log" | sed 's/^/    | /' >&2
        rm -f "$log"
        return "$code"
    fi
    printf '  %-44s %s\n' "$what" "$(since "$from")" >&2
    rm -f "$log"
}

# The words before a command that needs root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; return; fi
    command -v sudo >/dev/null || fail "this needs root and there is no sudo" "run the same command as root"
    sudo -- "$@"
}
