# shellcheck shell=bash
# Finding a cargo that can build this workspace.
# In: PATH, HOME. Out: find_cargo sets PATH (and RUSTUP_HOME where a rustup of another home is the only one).
# Invariant: nothing is installed here; scripts/install does that.

RUST_WANTED=1.95

# at_least 1.96.0 1.95  ->  true
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

cargo_is_enough() {
    local version
    version=$(cargo --version 2>/dev/null | awk '{print $2}') || return 1
    [ -n "$version" ] && at_least "$version" "$RUST_WANTED" && rustc --version >/dev/null 2>&1
}

# A rustup that was installed for another home folder finds no toolchain in this one: show it the way.
find_cargo() {
    cargo_is_enough && return 0
    local there
    for there in "${CARGO_HOME:-$HOME/.cargo}/bin" "$(dirname "$(command -v cargo 2>/dev/null || echo /nowhere/x)")" /usr/lib/rust-web/bin; do
        [ -x "$there/cargo" ] || continue
        if PATH="$there:$PATH" cargo_is_enough; then export PATH="$there:$PATH"; return 0; fi
        if [ -d "$there/../../.rustup" ] && PATH="$there:$PATH" RUSTUP_HOME="$there/../../.rustup" cargo_is_enough; then
            RUSTUP_HOME=$(cd "$there/../../.rustup" && pwd)
            export RUSTUP_HOME PATH="$there:$PATH"
            return 0
        fi
    done
    # Debian's own cargo, hidden behind a rustup without a toolchain.
    if PATH="/usr/bin:$PATH" cargo_is_enough; then export PATH="/usr/bin:$PATH"; return 0; fi
    return 1
}
