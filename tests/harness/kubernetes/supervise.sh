# Runs a Kubernetes control plane for one test process, and outlives that process just long enough to clean up.
#
# Arguments: the folder of the programs.
# Input: `etcd PORT`, `api PORT`, `manager`, `kill`, `freeze` or `thaw`, the last three of which are about the API server.
# Each is answered by one line, `ok` or what went wrong.
# The end of the input ends everything and removes the directory: the kernel closes the pipe whichever way the test ended.
# The first line of the output is the directory, in which the caller puts certificates, tokens, and a kubeconfig for the manager.

bin=$1
etcd=
api=
manager=
# A test that is gone does not read the answers, and that must not stop the cleaning up.
trap '' HUP PIPE

dir=$(mktemp -d "${TMPDIR:-/tmp}/kubernetes.XXXXXX") || exit 1
cd "$dir" || exit 1
echo "$dir"

# Which port the peers of etcd would use, of whom there are none, does not matter.
start_etcd() {
    etcd_port=$1
    "$bin/etcd" --data-dir etcd --unsafe-no-fsync --log-level error \
        --listen-client-urls "http://127.0.0.1:$1" --advertise-client-urls "http://127.0.0.1:$1" \
        --listen-peer-urls http://127.0.0.1:0 </dev/null >>etcd.log 2>&1 &
    etcd=$!
}

# There are no nodes, so that nothing of this is reached by a pod.
start_api() {
    "$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" \
        --secure-port "$1" --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --endpoint-reconciler-type none \
        --tls-cert-file server.pem --tls-private-key-file server.key \
        --token-auth-file tokens.csv --authorization-mode RBAC \
        --service-account-issuer https://kubernetes.default.svc \
        --service-account-key-file accounts.pub --service-account-signing-key-file accounts.key \
        --service-cluster-ip-range 10.96.0.0/16 \
        --audit-policy-file audit.json --audit-log-path audit.log --audit-log-maxsize 2000 \
        --profiling=false </dev/null >>api.log 2>&1 &
    api=$!
}

# The controllers that make, finish and remove what others ask for. Each looks again sooner than it would in a cluster.
start_manager() {
    "$bin/kube-controller-manager" --kubeconfig manager.json --leader-elect=false --secure-port 0 \
        --controllers garbage-collector-controller,namespace-controller,serviceaccount-controller,deployment-controller \
        --controllers replicaset-controller,statefulset-controller,job-controller,ttl-after-finished-controller \
        --service-account-private-key-file accounts.key \
        --kube-api-qps 300 --kube-api-burst 600 --profiling=false </dev/null >>manager.log 2>&1 &
    manager=$!
}

end() {
    [ -n "$1" ] || return 0
    kill -KILL "$1"
    wait "$1"
}

while read -r word argument; do
    case $word in
    etcd) start_etcd "$argument"; echo ok ;;
    api) start_api "$argument"; echo ok ;;
    manager) start_manager; echo ok ;;
    kill) end "$api"; api=; echo ok ;;
    freeze) kill -STOP "$api" && echo ok ;;
    thaw) kill -CONT "$api" && echo ok ;;
    *) echo "unknown word: $word" ;;
    esac
done

end "$manager"
end "$api"
end "$etcd"
cd /
rm -rf "$dir"
