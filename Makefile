# Berth's development tasks: `make help` lists them.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
GO ?= go
export CGO_ENABLED ?= 0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help build deps demo test test-vm unit lint generate fuzz bench deb clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1|\2/' | column -t -s '|'

# The tags leave out what keeps the linker from dropping code: an HTML tracer of grpc, a third of the binary, and a Markdown reader.
build: ## build bin/berth
	@$(GO) build -trimpath -tags grpcnotrace,urfave_cli_no_docs -ldflags "-s -w -X github.com/berth-dev/berth/cmd/berth/app.Version=$(VERSION)" -o bin/berth ./cmd/berth

deps: ## install what boxes and tests need (Debian, Ubuntu); nothing when all is there
	@.ci/deps

demo: deps build ## bring up examples/hello and say hello from it
	@$(SUDO) bin/berth -C examples/hello up
	$(SUDO) bin/berth -C examples/hello ssh -c 'cat /etc/motd; echo "This is $$(hostname), with $$(nproc) CPUs, as $$(id -un)."'
	echo "Enter it: $(SUDO) bin/berth -C examples/hello ssh    Remove it: $(SUDO) bin/berth -C examples/hello destroy -f"

# Tests build the berth that they run, of which go test knows nothing: a result that it kept could be an older one's.
test: deps lint ## all tests: unit, scripts and real LXC boxes
	@CGO_ENABLED=1 $(GO) test -count=1 -race -timeout 20m ./...

test-vm: deb ## a day's work with the package on a fresh machine, which BERTH_VM_SSH="ssh ... user@host" reaches
	@BERTH_TEST_REQUIRE=vm $(GO) test -count=1 -v -timeout 4h -run '^TestFreshMachine$$' ./cmd/berth

unit: ## the tests that need neither root nor LXC
	@BERTH_TEST_SKIP=root,lxc,net $(GO) test -count=1 ./...

lint: ## go vet, staticcheck and gofmt
	@$(GO) vet ./...
	$(GO) tool staticcheck ./...
	test -z "$$(gofmt -l . | tee /dev/stderr)"

generate: ## make the gRPC code from plugin.proto (needs protoc)
	@$(GO) generate ./plugins/internal/pluginpb

fuzz: ## look for Envfiles that make the parser panic, and for archives that do harm, for a minute each
	@$(GO) test -run '^$$' -fuzz FuzzParse -fuzztime 1m ./config
	$(GO) test -run '^$$' -fuzz FuzzExtract -fuzztime 1m -fuzzminimizetime 10x ./provider/lxc/archive

bench: deps build ## measure real boxes beside bare LXC and OpenSSH
	@$(SUDO) $(GO) run ./internal/bench -berth bin/berth

deb: build ## build bin/berth_VERSION_ARCH.deb and check what is in it (nfpm, a module of its own)
	@VERSION=$(VERSION) GO=$(GO) internal/packaging/deb.sh

clean: ## remove what was built
	@rm -rf bin
