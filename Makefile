# One name a task, the same here and in CI. What a task needs it installs, and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
BIND ?= 127.0.0.1:3000
# The real CLIs that tests drive, kept outside the clone
export ABBADO_TEST_PROGRAMS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/abbado-test-programs

.PHONY: run demo test check prove bench audit openapi ui node tools programs chromium

## run: builds and starts the server with its UI
run: tools ui
	$(CARGO) run --release --locked -- serve --bind $(BIND)

## demo: one scripted run in a scratch repository, from queued to completed
demo: tools
	$(CARGO) run --locked -- demo

## test: everything that must hold; one test at a time, since each starts processes of its own
test: tools programs ui chromium
	$(CARGO) test --locked --features test-faults -- --test-threads=1
	cd web && npm test && npm run e2e

## check: formatting, lints, the shape of the code, and that the UI's client fits the API
check: tools ui
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features test-faults -- -D warnings
	$(CARGO) test --locked --features test-faults --test architecture
	cd web && npm run check && npm run api:check

## prove: the long counts; one test at a time, as in `test`
prove: tools programs ui chromium
	ABBADO_PROVE=1 $(CARGO) test --locked --release --features test-faults -- --test-threads=1
	cd web && npm test && ABBADO_BIN=../target/release/abbado npm run e2e

## bench: ratios, each measured beside its limit in one run
bench: tools
	$(CARGO) bench --locked --bench hooks
	$(CARGO) bench --locked --bench branches
	$(CARGO) bench --locked --bench worktrees

## audit: licences, bans and sources of dependencies (needs cargo-deny, installed on first use)
audit:
	command -v cargo-deny >/dev/null || { echo "installing cargo-deny"; $(CARGO) install --locked cargo-deny; }
	$(CARGO) deny check bans licenses sources
	@$(CARGO) deny check advisories || echo "advisories NOT checked: the advisory database is out of reach"

## openapi: writes schema/openapi.json anew from the handlers
openapi: tools
	ABBADO_WRITE_OPENAPI=1 $(CARGO) test --locked --features test-faults --test architecture openapi
	cd web && npm run api

## ui: the web UI, built into web/dist, from where the next cargo build takes it into the binary
ui: node web/dist/index.html

web/dist/index.html: web/node_modules/.package-lock.json $(shell find web/src web/public -type f) \
  web/index.html web/vite.config.ts web/tsconfig.json
	cd web && npm run build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

## node: says in one line when Node.js is missing or too old for the UI
node:
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
	  2>/dev/null || { echo "the web UI is built with Node.js 20.19 or newer; here is $$(node --version 2>/dev/null || echo none)" >&2; exit 1; }

## tools: what a build needs from the system
tools:
	@command -v cc >/dev/null && command -v git >/dev/null || { \
	  echo "installing gcc and git (Debian packages)"; apt-get update -q && apt-get install -y -q gcc git; }

## chromium: the browser of the UI's tests
chromium:
	@command -v chromium >/dev/null || { \
	  echo "installing chromium (Debian package)"; apt-get update -q && apt-get install -y -q chromium; }

## programs: the real CLIs for the tests, at the versions of tests/programs/package-lock.json
programs:
	@command -v python3 >/dev/null && command -v npm >/dev/null || { \
	  echo "installing python3, nodejs and npm (Debian packages)"; \
	  apt-get update -q && apt-get install -y -q python3 nodejs npm; }
	@cmp -s tests/programs/package-lock.json "$$ABBADO_TEST_PROGRAMS/installed.json" || { \
	  echo "installing the CLIs of tests/programs/package.json into $$ABBADO_TEST_PROGRAMS"; \
	  mkdir -p "$$ABBADO_TEST_PROGRAMS"; \
	  cp tests/programs/package.json tests/programs/package-lock.json "$$ABBADO_TEST_PROGRAMS/"; \
	  cd "$$ABBADO_TEST_PROGRAMS"; npm ci --no-audit --no-fund --ignore-scripts; \
	  for claude in @anthropic-ai/claude-code claude-code-2.1.197; do \
	    node node_modules/$$claude/install.cjs; node_modules/$$claude/bin/claude.exe --version; done; \
	  (cd node_modules/opencode-ai; node postinstall.mjs); \
	  for cli in codex gemini qwen opencode; do node_modules/.bin/$$cli --version; done; \
	  cp package-lock.json installed.json; }
