# What a reader's commands mean in the test of the pages. A step is this file, and then its commands as
# they stand in the page. The functions below take the place of what a reader does by hand: opening a
# second terminal for an agent, and watching something until it has been seen.
set -euo pipefail

# With this, commands are not carried out: only their arguments are looked at.
only_parse=${DOCS_ONLY_PARSE:-}

mingle() {
    if [ -n "$only_parse" ]; then
        command mingle "$@" --help > /dev/null
        return
    fi
    case " $* " in
        " agent "*) in_a_terminal_of_its_own "$@" ;;
        " monitor "* | " members "*" --watch "*) until_it_says_something command mingle "$@" ;;
        *) command mingle "$@" ;;
    esac
}

mingle-sim() {
    if [ -n "$only_parse" ]; then command mingle-sim "$@" --help > /dev/null; else command mingle-sim "$@"; fi
}

target/release/mingle() { mingle "$@"; }
target/release/mingle-sim() { mingle-sim "$@"; }

# An agent goes on while the page does. One that would take the HTTP address of another ends that one
# first, as its reader has to; unless the page says that it fails.
in_a_terminal_of_its_own() {
    local http=${MINGLE_HTTP:-127.0.0.1:7374} before='' word pid log
    for word in "$@"; do
        if [ "$before" = --http ]; then http=$word; fi
        before=$word
    done
    log=$DOCS_AGENTS/${DOCS_FAILS:-$http}
    if [ -e "$log.pid" ]; then end "$(cat "$log.pid")"; fi
    # Where the page sends the log into a file, it goes there.
    if [ "$(readlink "/proc/$BASHPID/fd/2")" = "$DOCS_SAID" ]; then exec 3> "$log.err"; else exec 3>&2; fi
    : > "$log.out"
    : >> "$log.err"
    command mingle "$@" < /dev/null > "$log.out" 2>&3 3>&- &
    pid=$!
    echo "$pid" > "$log.pid"
    until grep -q 'is ready$\|"event":"ready"' "$log.out"; do
        if ! kill -0 "$pid" 2> /dev/null; then
            cat "$log.err"
            rm "$log.pid"
            wait "$pid"
            return
        fi
        sleep 0.02
    done
    cat "$log.out"
}

# SIGTERM is what Ctrl-C is in a terminal: a goodbye, and the end.
end() {
    kill -TERM "$1" 2> /dev/null || return 0
    wait "$1" 2> /dev/null || true
    while kill -0 "$1" 2> /dev/null; do sleep 0.02; done
}

until_it_says_something() {
    local said pid
    said=$(mktemp)
    "$@" > "$said" &
    pid=$!
    until [ -s "$said" ]; do
        if ! kill -0 "$pid" 2> /dev/null; then
            wait "$pid"
            return
        fi
        sleep 0.02
    done
    kill "$pid"
    wait "$pid" 2> /dev/null || true
    cat "$said"
}

curl() {
    case " $* " in
        *" -sN "*) until_it_says_something command curl "$@" ;;
        *) command curl --max-time 20 "$@" ;;
    esac
}

# The programs were built for this test already: `cargo build` has only to name packages that are there,
# and `cargo run` is the program.
cargo() {
    case "$*" in
        "build --release") ;;
        "build --release -p "*) grep -qx "name = \"$4\"" crates/*/Cargo.toml ;;
        "run --release -- "*) mingle "${@:4}" ;;
        "run --release -p mingle-sim -- "*) mingle-sim "${@:6}" ;;
        *)
            echo "no test runs 'cargo $*': mark its block as by-hand" >&2
            return 1
            ;;
    esac
}
