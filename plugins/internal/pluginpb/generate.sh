#!/bin/sh
# Regenerates plugin.pb.go and plugin_grpc.pb.go. Needs protoc (>= 3.21) on
# PATH; protoc-gen-go comes from go.mod, protoc-gen-go-grpc is pinned here
# because it is a Go module of its own.
set -eu
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go
GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PATH=$bin:$PATH protoc --go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative plugin.proto
