#!/usr/bin/env bash
# Builds etcd and kube-apiserver into FOLDER from the Go module proxy, for the tests marked cluster: half an hour of one core.
#   bash tests/helm/build_api_server.sh ~/.cache/tocsin-tests/cluster && PATH=$PATH:$HOME/.cache/tocsin-tests/cluster make test
set -euo pipefail
folder=$(realpath -m "${1:?a folder for the two programs}")
kubernetes=1.34.1 etcd=3.6.5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$folder" "$scratch/etcd" "$scratch/kubernetes"

cd "$scratch/etcd"
printf 'module build\n\ngo 1.24\n\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$etcd" > go.mod
printf 'package main\n\nimport _ "go.etcd.io/etcd/server/v3/etcdmain"\n\nfunc main() {}\n' > main.go
go build -mod=mod -o "$folder/etcd" go.etcd.io/etcd/server/v3

# Kubernetes' own modules are required as v0.0.0 and replaced by folders beside it, which a dependent module does not see.
cd "$scratch/kubernetes"
printf 'module build\n\ngo 1.24\n\nrequire k8s.io/kubernetes v%s\n' "$kubernetes" > go.mod
printf 'package main\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n\nfunc main() {}\n' > main.go
own=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
sed -nE 's|^\s*(k8s.io/[a-z-]+) v0\.0\.0$|\1|p; s|^.*(k8s.io/[a-z-]+) => ./staging.*$|\1|p' "$own" | sort -u |
  while read -r module; do echo "replace $module => $module v0${kubernetes#1}"; done >> go.mod
version=k8s.io/component-base/version
minor=${kubernetes#1.}
go build -mod=mod -o "$folder/kube-apiserver" \
  -ldflags "-X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}" \
  k8s.io/kubernetes/cmd/kube-apiserver
