# The commands that people and CI run. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help

# Files that a program writes and people commit: `make generated` rewrites them, `make lint` proves them fresh.
GENERATED := crds/urlshorteners.yaml docs/metrics.md docs/openapi.json docs/settings.md docs/urlshortener.md \
	charts/shortener-operator/files/crds/urlshorteners.yaml manifests/crds.yaml manifests/install.yaml

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start the service on SQLite (release build) and show a redirect; Ctrl-C stops it
	@scripts/needs rust curl
	cargo build --release --locked --bin shortener
	@exec scripts/demo

.PHONY: up
up: ## Build the image and start the Compose stack on this machine's Docker, until all is healthy; `docker compose down` stops it
	docker compose up --detach --build --wait

.PHONY: test
test: ## Install what the tests need and run every suite; COVERAGE=1 measures line coverage too
	@scripts/needs rust curl jq postgres-15 postgres-18 pgbouncer redis valkey prometheus nginx openapi kubernetes $(if $(COVERAGE),coverage)
	@COVERAGE=$(COVERAGE) scripts/test $(SUITES)

.PHONY: soak
soak: ## Run the long form of the clicks, openapi, operator and redirects suites: a hundred kills and outages; takes over two hours
	@scripts/needs rust curl jq postgres-15 postgres-18 pgbouncer redis valkey openapi kubernetes
	@SOAK=1 scripts/test clicks openapi operator redirects

.PHONY: test-compose
test-compose: ## As root: run docker-compose.yml on an engine of its own and break it; PROFILE=dev builds quicker, BRIEF=1 is eight minutes of it, KEEP=1 leaves it up
	@scripts/needs rust curl jq postgres-18 engine docker-compose
	@PROFILE=$(PROFILE) BRIEF=$(BRIEF) KEEP=$(KEEP) scripts/test-compose

.PHONY: chaos
chaos: ## As root: kill, freeze, restart and re-create what docker-compose.yml runs, under load, and write docs/chaos.md; PROFILE=dev builds quicker, DRILLS="nginx app1-kill" does some
	@scripts/needs rust curl jq postgres-18 engine docker-compose
	@PROFILE=$(PROFILE) CHAOS=1 DRILLS="$(DRILLS)" KEEP=$(KEEP) scripts/test-compose

.PHONY: cluster
cluster: ## As root: start a Kubernetes cluster of two nodes on this machine, with KEDA and Prometheus; PROFILE=dev builds quicker
	@scripts/needs rust curl jq postgres-18 engine kubernetes cluster
	@PROFILE=$(PROFILE) scripts/cluster/up

.PHONY: cluster-kind
cluster-kind: ## The same with kind, on a machine with Docker and an image registry; its KUBECONFIG is printed
	@scripts/needs curl jq kubernetes
	@scripts/cluster/kind up

.PHONY: cluster-down
cluster-down: ## End that cluster and remove all that it wrote
	@scripts/cluster/down

.PHONY: test-e2e
test-e2e: ## Install, scale, upgrade, break and remove on the cluster of KUBECONFIG, or on that of make cluster; STAGES="install scale" runs some
	@scripts/needs rust curl jq kubernetes $(if $(KUBECONFIG),,postgres-18 engine cluster)
	@PROFILE=$(PROFILE) scripts/test-e2e $(STAGES)

.PHONY: test-quick
test-quick: ## Run the unit and tidy tests alone: no database, nothing to install
	@scripts/needs rust
	@scripts/test unit tidy

.PHONY: coverage
coverage: ## Run every suite on an instrumented build; fail below the required line coverage
	@$(MAKE) test COVERAGE=1

.PHONY: lint
lint: generated ## Check format, clippy, rustdoc, generated files, scripts and CI workflows
	@scripts/needs rust shellcheck actionlint
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	$(if $(GENERATED),git diff --exit-code -- $(GENERATED))
	grep -rlE '^#(!.*sh$$|.shellcheck shell=bash$$)' scripts .ci deploy tests | xargs shellcheck
	source scripts/settings.sh && actionlint

.PHONY: generated
generated: $(GENERATED) ## Rewrite the committed files that a program generates

# Phony: only the program knows whether its own output is fresh.
.PHONY: $(GENERATED)
docs/metrics.md:
	@scripts/needs rust
	text=$$(cargo run --quiet --locked --bin shortener metrics) && echo "$$text" >$@
docs/openapi.json:
	@scripts/needs rust
	text=$$(cargo run --quiet --locked --bin shortener openapi) && echo "$$text" >$@
docs/settings.md:
	@scripts/needs rust
	text=$$(cargo run --quiet --locked --bin shortener settings) && echo "$$text" >$@
crds/urlshorteners.yaml:
	@scripts/needs rust
	text=$$(cargo run --quiet --locked --bin shortener-operator crds) && echo "$$text" >$@
docs/urlshortener.md:
	@scripts/needs rust
	text=$$(cargo run --quiet --locked --bin shortener-operator reference) && echo "$$text" >$@

# Helm packs nothing from outside a chart's folder.
charts/shortener-operator/files/crds/urlshorteners.yaml manifests/crds.yaml: crds/urlshorteners.yaml
	mkdir -p $(dir $@) && cp $< $@

manifests/install.yaml: charts/shortener-operator/files/crds/urlshorteners.yaml
	@scripts/install-manifest $@

.PHONY: drawings
drawings: ## Draw the dashboards from a real Prometheus' answers into docs/images, since no test has a Grafana
	@scripts/needs rust curl jq postgres-18 prometheus redis
	cargo build --locked --bin shortener
	source scripts/settings.sh && DRAW=yes cargo test --locked --test monitoring every_panel_shows

.PHONY: deps
deps: ## Check dependencies: licences, sources, bans, advisories (ADVISORIES=required in CI), unused ones
	@scripts/needs rust cargo-deny cargo-machete
	@scripts/deps

.PHONY: bench
bench: ## Measure what the service promises and write docs/benchmarks.md; BENCH_ROUNDS=3 is quicker, BENCH_ONLY=name one alone
	@scripts/needs rust postgres-15 nginx wrk redis
	cargo build --release --locked --bin shortener --bin shortener-bench
	@scripts/bench

.PHONY: load
load: ## Put the service at LOADTEST_BASE_URL (http://127.0.0.1:8080) under load; ARGS="--users 1000", docs/load.md has the rest
	@scripts/needs rust
	cargo build --release --locked --bin shortener-loadtest
	@"$$(cargo metadata --no-deps --format-version 1 --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/shortener-loadtest" $(ARGS)

.PHONY: simulate
simulate: ## Simulate autoscaling and write what it comes to into docs/autoscaling.md and docs/capacity.md; seconds, no cluster
	@scripts/needs rust
	cargo run --quiet --locked --bin shortener-simulate -- write

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZ_SECONDS (60); FUZZ_TARGET=name picks one
	@scripts/needs nightly cargo-fuzz
	@scripts/fuzz

.PHONY: clean
clean: ## Remove what building and testing left in the clone (not the data of `make run`)
	cargo clean
	rm -rf fuzz/target fuzz/corpus fuzz/artifacts
