# shellcheck shell=bash
# shellcheck disable=SC2034 # Used by those who source this.
# Where the cluster of the tests is: its folders, addresses and nodes. Sourced by the scripts beside it, run by none.

# Once: scripts/stack.sh sources it, too.
[[ -n ${repository:-} ]] || source "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

# Its programs, from Go modules whose checksums stand beside this file.
cluster_programs=$cache/cluster-$(cat "$repository"/scripts/cluster/{build,keda.txt,*/go.*,*/main.go} | cksum | cut -d' ' -f1)

# All that the cluster writes. `make cluster-down` removes it.
cluster_state=/var/lib/urlshortener-cluster

# A namespace of the network each, and all but the first a namespace of processes and mounts, too.
control_plane=urls-control
nodes=(node1 node2)

# A network between them that leads nowhere else. This machine is in it, for the tests, and is no router.
machine_address=10.249.0.254
control_plane_address=10.249.0.1
service_range=10.247.0.0/16
pod_range=10.248.0.0/16
# The first of the services is the API server's own.
api_service_address=10.247.0.1
dns_address=10.247.0.10

node_address() { echo "10.249.0.1${1#node}"; }
node_pods() { echo "10.248.${1#node}.0/24"; }
node_namespace() { echo "urls-$1"; }

# An administrator's, for whoever sources this. A caller's own, such as that of another cluster, is respected.
export KUBECONFIG=${KUBECONFIG:-$cluster_state/kubeconfig}

PATH=$KUBERNETES_BIN:$PATH

# Does a thing and says how long it took.
step() {
    local what=$1 started=${EPOCHREALTIME/./}
    shift
    "$@"
    local took=$(((${EPOCHREALTIME/./} - started) / 100000))
    say "$what: $((took / 10)).$((took % 10)) s"
}

# Waits until a command succeeds, for so many seconds.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# Keeps a program running, as the machine's own supervisor would, with its output and its number in a file. While there is a file
# NAME.down in its folder it stays away: so tests take it away and bring it back. For the first process of a namespace.
keep_running() {
    local where=$1 name=$2
    shift 2
    while :; do
        until [[ ! -e $where/$name.down ]]; do sleep 0.2; done
        "$@" >>"$where/$name.log" 2>&1 </dev/null &
        echo $! >"$where/$name.pid"
        wait $! || true
        sleep 1
    done &
}

# The first process of a machine of the cluster, `control` or a node, by its number outside of its namespace; none if it does not run.
first_process() {
    local parent
    parent=$(cat "$cluster_state/$1/unshare.pid" 2>/dev/null) || return 1
    [[ $(cat "/proc/$parent/comm" 2>/dev/null) == unshare ]] || return 1
    pgrep --parent "$parent"
}
