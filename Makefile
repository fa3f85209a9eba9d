# One name a task, the same here and in CI. What a task needs it installs, and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
BIND ?= 127.0.0.1:3000

.PHONY: run demo test check prove bench audit openapi tools

## run: builds and starts the server with its page
run: tools
	$(CARGO) run --release --locked -- serve --bind $(BIND)

## demo: one scripted run in a scratch repository, from queued to completed
demo: tools
	$(CARGO) run --locked -- demo

## test: everything that must hold; one test at a time, since each starts processes of its own
test: tools
	$(CARGO) test --locked --features test-faults -- --test-threads=1

## check: formatting, lints, the shape of the code
check: tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features test-faults -- -D warnings
	$(CARGO) test --locked --features test-faults --test architecture

## prove: the long counts
prove: tools
	ABBADO_PROVE=1 PROPTEST_CASES=10000 $(CARGO) test --locked --release --features test-faults

## bench: nothing to compare with yet; the parts' benches come with the speed work
bench:
	@echo "no benches yet"

## audit: licences, bans and sources of dependencies (needs cargo-deny, installed on first use)
audit:
	command -v cargo-deny >/dev/null || { echo "installing cargo-deny"; $(CARGO) install --locked cargo-deny; }
	$(CARGO) deny check bans licenses sources

## openapi: writes schema/openapi.json anew from the handlers
openapi: tools
	ABBADO_WRITE_OPENAPI=1 $(CARGO) test --locked --features test-faults --test architecture openapi

## tools: what a build needs from the system
tools:
	@command -v cc >/dev/null && command -v git >/dev/null || { \
	  echo "installing gcc and git (Debian packages)"; apt-get update -q && apt-get install -y -q gcc git; }
