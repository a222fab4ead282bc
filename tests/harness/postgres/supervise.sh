# Runs one Postgres cluster for one test process, and outlives that process just long enough to clean up.
#
# Arguments: the folder of Postgres' programs, then options for `postgres`.
# Input: `create`, `copy DIRECTORY`, `start PORT`, `stop`, `kill`, `freeze` or `thaw`. Each is answered by one line, `ok` or what went wrong.
# The end of the input stops Postgres and removes its directory: the kernel closes the pipe whichever way the test ended.
# The first line of the output is the directory.

bin=$1
shift
postmaster=
# A test that is gone does not read the answers, and that must not stop the cleaning up.
trap '' HUP PIPE

dir=$(mktemp -d "${TMPDIR:-/tmp}/pg.XXXXXX") || exit 1
cd "$dir" || exit 1
echo "$dir"

# Postgres refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
    user=nobody
    id postgres >/dev/null 2>&1 && user=postgres
    chown "$user" "$dir"
    as="setpriv --reuid=$(id -u "$user") --regid=$(id -g "$user") --clear-groups"
fi

# Its processes are sessions of their own, so no process group holds them all.
signal() {
    kill -"$1" "$postmaster"
    for stat in /proc/[0-9]*/stat; do
        read -r pid _ _ parent _ 2>/dev/null <"$stat" || continue
        if [ "$parent" = "$postmaster" ]; then kill -"$1" "$pid" 2>/dev/null; fi
    done
}

stop() {
    [ -n "$postmaster" ] || return 0
    signal CONT
    kill -QUIT "$postmaster"
    wait "$postmaster"
    postmaster=
}

failed() {
    echo "$1: $(tail -n 5 "$dir/log" | tr '\n' ' ')"
}

create() {
    $as "$bin/initdb" -D "$dir/data" -U postgres --auth=trust --no-sync --no-instructions \
        --locale=C --encoding=UTF8 >"$dir/log" 2>&1 || return 1
    # One role that has to say its password, for the tests of wrong ones.
    cat >"$dir/data/pg_hba.conf" <<'RULES'
local all all trust
host all needs_password 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
RULES
}

# A standby of the cluster in that directory, which must be stopped.
copy() {
    $as cp -a "$1/data" "$dir/data" 2>"$dir/log" || return 1
    rm -f "$dir/data/postmaster.pid"
    $as touch "$dir/data/standby.signal"
}

# Without a word to anybody, as a machine that is gone.
kill_all() {
    [ -n "$postmaster" ] || return 0
    signal STOP
    signal KILL
    wait "$postmaster"
    postmaster=
    rm -f "$dir/data/postmaster.pid"
}

start() {
    port=$1
    shift
    $as "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories="$dir" "$@" >>"$dir/log" 2>&1 &
    postmaster=$!
    until grep -q '^ready' "$dir/data/postmaster.pid" 2>/dev/null; do
        kill -0 "$postmaster" 2>/dev/null || { postmaster=; return 1; }
        sleep 0.02
    done
}

while read -r word argument; do
    case $word in
    create) if create; then echo ok; else failed "initdb failed"; fi ;;
    copy) if copy "$argument"; then echo ok; else failed "no copy"; fi ;;
    start) if start "$argument" "$@"; then echo ok; else failed "postgres did not start"; fi ;;
    stop) stop && echo ok ;;
    kill) kill_all && echo ok ;;
    freeze) signal STOP && echo ok ;;
    thaw) signal CONT && echo ok ;;
    *) echo "unknown word: $word" ;;
    esac
done

stop
cd /
rm -rf "$dir"
