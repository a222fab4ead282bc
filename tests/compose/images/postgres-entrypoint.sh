#!/bin/bash
# What the entrypoint of the official image does: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, each also as a _FILE, and
# a database made at the first start, by a temporary server that listens on the socket alone.
set -Eeo pipefail
for variable in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
    file=${variable}_FILE
    [[ -z ${!file:-} ]] || export "$variable=$(<"${!file}")"
done
[[ $1 == postgres ]] || exec "$@"
sockets=/var/run/postgresql
if ((EUID == 0)); then
    mkdir -p "$PGDATA" "$sockets"
    chmod 700 "$PGDATA"
    chown -R postgres "${PGDATA%/*}" "$sockets"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    [[ -n $POSTGRES_PASSWORD ]] || {
        echo "Database is uninitialized and superuser password is not specified." >&2
        exit 1
    }
    initdb --username="$user" --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\nunix_socket_directories = '%s'\n" "$sockets" >>"$PGDATA/postgresql.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    [[ $database == postgres ]] ||
        psql -v ON_ERROR_STOP=1 --host "$sockets" --username "$user" --dbname postgres -c "create database \"$database\""
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
