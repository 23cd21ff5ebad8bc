# Everything that is done to this repository. `make help` lists it.

GO          ?= go
MODULES     := $(patsubst %/go.mod,%,$(wildcard */go.mod */*/go.mod */*/*/go.mod))
LAST        := core/bench core/poolvet examples/internal/combos
PACKAGES    := $(addsuffix /...,$(addprefix ./,$(filter-out $(LAST),$(MODULES)) $(LAST))) # what only computes comes last: tests that wait begin meanwhile
FRAMEWORK   ?= nethttp
ADDR        ?= 127.0.0.1:8080
DURABLE     ?=
ARGS        ?=
POSTGRES    := $(CURDIR)/core/riverpool/testdata/postgres
AT_ONCE     ?= 4
ALONE       ?= short
# SQLite is C that was translated to Go, many times as slow where the race detector looks at each of its accesses.
RACE        := -race -vet=off '-gcflags=modernc.org/sqlite/lib=-race=false'
LINT        := v2.15.0
VULN        := v1.9.0
LINT_BIN    := .bin/golangci-lint-$(LINT)

# The compiler, the linker, the Go command and most tests collect garbage less often: they end before it would help.
test race newest alone lint docs-check: export GOGC := 400

# What tests build is linked without what debuggers read, as tests themselves are, and with the same flags: these are part
# of a program's package main, which would be compiled once more otherwise. Where the paths of a clone are not in it
# either, what another clone has compiled and tested already is not once more.
FLAGS       := -buildvcs=false '-ldflags=-s -w' $(shell $(GO) env GOFLAGS 2>/dev/null)
race newest alone docs-check: export GOFLAGS := $(FLAGS)
test: export GOFLAGS := -trimpath $(FLAGS)

.PHONY: help run test race chaos ci fmt vet alone newest lint vuln tidy tidy-check bench bench-full lanes syscalls picture microbench compare docs-check release-check go cc
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

run: go ## start the orders service (FRAMEWORK=nethttp, gin, echo, echo5, fiber or fiber3; ADDR=127.0.0.1:8080; DURABLE=sqlite or postgres://…; ARGS=-help lists more) and print a curl line to try
	@case '$(FRAMEWORK)' in nethttp|gin|echo|echo5|fiber|fiber3) ;; *) echo "FRAMEWORK=$(FRAMEWORK): there are nethttp, gin, echo, echo5, fiber and fiber3"; exit 1;; esac
	@$(GO) build -o .bin/orders-$(FRAMEWORK) ./examples/$(FRAMEWORK)
	@ADDR=$(ADDR) DURABLE='$(DURABLE)' exec .bin/orders-$(FRAMEWORK) $(ARGS) # not go run, which hands on no SIGTERM

test: go ## run the tests of every module in their short form, with a Postgres of their own if there is one on this machine
	$(POSTGRES) $(GO) test -short -vet=off -p $(AT_ONCE) -parallel 8 $(PACKAGES) # more than there are processors: most tests wait

race: go cc ## run the tests of every module under the race detector, but for those of other processes, which it does not see
	$(GO) test -run Model ./core # all of its schedules; the detector is shown a quarter of them
	$(POSTGRES) $(GO) test $(RACE) -p 3 -parallel 4 $(PACKAGES) # fewer than make test: the detector makes them compute more

chaos: go cc ## the long form of the tests that break things at random, under the race detector: about 17 minutes, ten of them a soak (CHAOS_SOAK=30s shortens it)
	CHAOS=1 $(POSTGRES) $(GO) test $(RACE) -count=1 -timeout 60m -v -run Chaos $(PACKAGES)

ci: fmt $(LINT_BIN) ## all that a change has to pass: lint, tidy-check, alone, newest, race and docs-check
	MAKE='$(MAKE)' .ci/all

fmt: go ## check that every file is formatted
	@files=$$(gofmt -l $(MODULES)); test -z "$$files" || { echo "not formatted, run gofmt -w:"; echo "$$files"; exit 1; }

vet: go ## go vet over the workspace
	$(GO) vet $(PACKAGES)

alone: go ## vet each module as its users get it, without the workspace, and test those that get other versions so (ALONE= leaves nothing out)
	GO=$(GO) ALONE='$(ALONE)' $(POSTGRES) .ci/alone $(filter-out core/bench,$(MODULES)) # nobody builds that so: make bench takes newest.mod, which make newest tests

newest: go cc ## test Fiber on the newest fasthttp (fiber/fasthttp-newest.mod) and the newest peers (core/bench/newest.mod), which need Go 1.26
	cd fiber && GOWORK=off $(GO) test $(RACE) -modfile=fasthttp-newest.mod ./...
	cd core/bench && GOWORK=off $(GO) test -modfile=newest.mod . ./cmd/... # lanes has no newer peers; make race tests all of them in the workspace

lint: $(LINT_BIN) ## golangci-lint with the checks of go vet, at a pinned version that is installed into .bin
	$(LINT_BIN) run --config .golangci.yml $(PACKAGES)

$(LINT_BIN): | go
	GOBIN=$(CURDIR)/.bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)
	mv .bin/golangci-lint $@

vuln: go ## govulncheck, at a pinned version, over every module; it needs vuln.go.dev
	@set -e; for m in $(MODULES); do echo "== $$m"; (cd $$m && GOWORK=off $(GO) run golang.org/x/vuln/cmd/govulncheck@$(VULN) ./...); done

tidy: go ## go mod tidy in every module
	@set -e; for m in $(MODULES); do (cd $$m && $(GO) mod tidy); done
	cd fiber && $(GO) mod tidy -modfile=fasthttp-newest.mod
	cd core/bench && $(GO) mod tidy -modfile=newest.mod

tidy-check: go ## check that go mod tidy would change nothing
	@set -e; for m in $(MODULES); do (cd $$m && $(GO) mod tidy -diff) || { echo "$$m: run make tidy"; exit 1; }; done
	@cd fiber && $(GO) mod tidy -diff -modfile=fasthttp-newest.mod
	@cd core/bench && $(GO) mod tidy -diff -modfile=newest.mod

docs-check: go ## check that what README.md and the other documents show compiles, runs and is there (seconds)
	$(GO) test -count=1 ./examples/internal/published # -count: the test cache does not see the documents change

release-check: go ## rehearse a release of what is committed: tag it in a clone, get each module by version, run README.md's examples (five minutes)
	RELEASE=1 $(GO) test -count=1 -timeout 60m -v -run Release ./examples/internal/published

bench: compare ## the engine beside its peers at their newest versions, and the ratios that are asked (ten minutes)
	.bin/compare

bench-full: compare ## the same for publishing, with the workloads that take long (45 minutes); also writes .bin/bench.md, and .bin/bench.txt for benchstat
	.bin/compare -full -rounds 5 -budget 1s -markdown .bin/bench.md -benchfmt .bin/bench.txt

syscalls: go ## count the system calls of a request with the middleware and without (a minute; it needs strace)
	cd core/bench && GOWORK=off $(GO) build -modfile=newest.mod -o $(CURDIR)/.bin/syscalls ./cmd/syscalls
	.bin/syscalls

lanes: go ## lanes beside what knows the true limit, against servers of each kind, on virtual time (a minute)
	cd core/bench && LANES=1 GOWORK=off $(GO) test -count=1 -v -run TestTable ./lanes

compare: go ## build .bin/compare, which bench runs: its flags choose what is measured
	cd core/bench && GOWORK=off $(GO) build -modfile=newest.mod -o $(CURDIR)/.bin/compare ./cmd/compare

picture: go ## make the pictures of the page of tasks that README.md shows, from the running page (a minute; it needs chromium)
	cd examples && $(GO) run ./internal/picture $(CURDIR)/core/doc

microbench: go ## the benchmarks of every module
	FSYNC=on $(POSTGRES) $(GO) test -run '^$$' -bench . $(PACKAGES)

go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl"; exit 1; }

cc: go
	@command -v $$($(GO) env CC) >/dev/null || { echo "The race detector needs a C compiler (gcc or clang), which is missing; make test runs without it."; exit 1; }
