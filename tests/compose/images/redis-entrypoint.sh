#!/bin/sh
# What the entrypoint of the official image does: Redis as its own user, reachable from other containers.
set -e
# The official program is built with this off; Debian's is not.
[ "$1" != redis-server ] || set -- "$@" --protected-mode no
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$@"
fi
exec "$@"
