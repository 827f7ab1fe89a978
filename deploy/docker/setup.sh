#!/bin/sh
# Runs once in the image of the Kubernetes server: definitions, roles, kubeconfigs of their accounts, keys, sample users.
set -eu
out=/run/webspaces
kubectl="k3s kubectl --server https://kubernetes:6443 --kubeconfig /server/kubeconfig.yaml"
until $kubectl get --raw /readyz > /dev/null 2>&1; do sleep 1; done

apply() { $kubectl apply --server-side --force-conflicts "$@"; }
apply -f "$TRAEFIK_CRDS"
apply -f /lab/namespace.yaml
apply -f /deploy/chart/files/crds
until apply -f /deploy/chart/files/rbac -f /deploy/manifests -f /lab/traefik-role.yaml; do sleep 1; done

# kubeconfig FILE ACCOUNT SERVER: the token of one service account
kubeconfig() {
  token=$($kubectl -n webspaces create token "$2" --duration=8760h)
  authority=$($kubectl config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
  cat > "$out/$1" << YAML
apiVersion: v1
kind: Config
clusters: [{name: webspaces, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $authority}}]
users: [{name: $2, user: {token: $token}}]
contexts: [{name: webspaces, context: {cluster: webspaces, user: $2, namespace: webspaces}}]
current-context: webspaces
YAML
}
kubeconfig worker.kubeconfig webspaces-worker
kubeconfig gateway.kubeconfig webspaces-gateway
kubeconfig traefik.kubeconfig traefik

# Leads routes of webspaces that are off to the gateway on this machine; an endpoint must not be a loopback address.
apply -f - << YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: webspaces-gateway-compose, namespace: webspaces, labels: {kubernetes.io/service-name: webspaces-gateway}}
addressType: IPv4
ports: [{name: http, port: 8083, protocol: TCP}, {name: tls, port: 8084, protocol: TCP}]
endpoints: [{addresses: ["${GATEWAY_ADDRESS:-10.77.0.1}"], conditions: {ready: true}}]
YAML

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
[ -e $out/identity.key ] || random 48 > $out/identity.key
[ -e $out/sealing.json ] || printf '{"current":"k1","keys":{"k1":"%s"}}\n' "$(random 32)" > $out/sealing.json
[ -e $out/users.json ] || cat > $out/users.json << 'JSON'
{"users": [{"id": 1, "username": "alice"}, {"id": 2, "username": "bob"}, {"id": 3, "username": "admin", "isAdmin": true}]}
JSON
# API, worker and gateway run as user node (1000); Traefik as root.
chown -R 1000:1000 $out
chmod 600 $out/*
