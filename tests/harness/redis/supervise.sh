# Runs one Redis or Valkey for one test process, and outlives that process just long enough to clean up.
#
# Arguments: the server's program, then options for it.
# Input: `start PORT`, `kill`, `freeze` or `thaw`. Each is answered by one line, `ok` or what went wrong.
# The end of the input ends the server and removes its directory: the kernel closes the pipe whichever way the test ended.
# The first line of the output is the directory, which is the server's own: `socket`, `log`, and whatever it keeps.

program=$1
shift
server=
# A test that is gone does not read the answers, and that must not stop the cleaning up.
trap '' HUP PIPE

dir=$(mktemp -d "${TMPDIR:-/tmp}/redis.XXXXXX") || exit 1
cd "$dir" || exit 1
echo "$dir"

kill_it() {
    [ -n "$server" ] || return 0
    kill -KILL "$server"
    wait "$server"
    server=
}

# The first option takes the port, so that the caller says which of the kinds of port it is.
start() {
    port=$1
    kind=$2
    shift 2
    : >log
    "$program" "$kind" "$port" --bind 127.0.0.1 --dir "$dir" --unixsocket "$dir/socket" \
        --logfile "$dir/log" --save '' "$@" </dev/null >>log 2>&1 &
    server=$!
    until grep -q 'Ready to accept connections' log; do
        kill -0 "$server" 2>/dev/null || { server=; return 1; }
        sleep 0.02
    done
}

while read -r word argument; do
    case $word in
    start) if start "$argument" "$@"; then echo ok; else echo "it did not start: $(tail -n 5 log | tr '\n' ' ')"; fi ;;
    kill) kill_it; echo ok ;;
    freeze) kill -STOP "$server" && echo ok ;;
    thaw) kill -CONT "$server" && echo ok ;;
    *) echo "unknown word: $word" ;;
    esac
done

kill_it
cd /
rm -rf "$dir"
