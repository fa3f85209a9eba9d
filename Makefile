# Targets have the same names here and in CI. A target installs what it needs and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
BIND ?= 127.0.0.1:3000
# For `make fuzz`: seconds per target, and the targets
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= $(notdir $(wildcard tests/fuzz/corpus/*))
# For `make soak`
SOAK_MINUTES ?= 30
FUZZ = --fuzz-dir tests/fuzz --sanitizer none
CARGO_FUZZ = 0.13.2
# The real CLIs that tests drive, outside the checkout
export ABBADO_TEST_PROGRAMS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/abbado-test-programs

# The last test: checks the temporary folder that all others used for leftovers
LEAKS = ABBADO_TESTS_FOLDER="$$TMPDIR" TMPDIR=/tmp $(CARGO) test --locked --features test-faults --test leaks \
  $(if $(filter prove,$@),--release) -- --nocapture --test-threads=1

# Checks that the benches run; their figures in the test profile are meaningless
BENCHES_RUN = $(CARGO) test --locked --features test-faults --bench parts -- --test; \
  $(CARGO) test --locked --features test-faults --bench system -- --quick; \
  $(CARGO) test --locked --features test-faults --bench system -- --quick growth soak

.PHONY: help quick dist filters run demo test check prove fuzz screenshots bench growth soak audit openapi ui node tools xterm programs schemathesis generators chromium peers nchan terminado

## help: lists the targets
help:
	@awk -F': ' '/^## [a-z]+: / { name = substr($$1, 4); sub(/^[^:]*: /, ""); printf "make %-14s %s\n", name, $$0 }' Makefile

## run: builds the server with its UI and starts it (`make dist` builds the optimised one)
run: tools ui
	$(CARGO) run --locked -- serve --bind $(BIND)

## dist: builds the optimised binary with its UI (about ten minutes on two cores)
dist: tools ui
	$(CARGO) build --profile dist --locked
	@echo "built $${CARGO_TARGET_DIR:-target}/dist/abbado"

## demo: plays one scripted run in a scratch repository, from queued to completed
demo: tools
	$(CARGO) run --locked -- demo

## quick: checks formatting, lints, unit tests and architecture of the Rust code
quick: tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features test-faults -- -D warnings
	$(CARGO) test --locked --features test-faults --lib --test architecture --test makefile

# Unit tests run in parallel; tests of the whole program run one at a time, because each starts its own servers.
## test: runs all tests
test: tools filters programs schemathesis generators ui chromium peers nchan terminado xterm
	export TMPDIR=$$(mktemp -d /tmp/at.XXXXXX); \
	$(CARGO) test --locked --features test-faults --lib; \
	$(CARGO) test --locked --features test-faults --bins --test '*' -- --test-threads=1; \
	$(BENCHES_RUN); \
	(cd web && npm test && npm run e2e); \
	$(LEAKS) && rmdir "$$TMPDIR"

## check: checks formatting, lints, architecture, and that the UI's client matches the API
check: tools ui
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features test-faults -- -D warnings
	$(CARGO) test --locked --features test-faults --test architecture
	cd web && npm run check && npm run api:check

## prove: runs the tests with their long counts, one at a time (most of an hour)
prove: tools filters programs schemathesis generators ui chromium xterm
	export TMPDIR=$$(mktemp -d /tmp/at.XXXXXX); \
	ABBADO_PROVE=1 $(CARGO) test --locked --release --features test-faults -- --test-threads=1; \
	(cd web && npm test && ABBADO_PROVE=1 ABBADO_BIN=../target/release/abbado npm run e2e); \
	$(LEAKS) && rmdir "$$TMPDIR"

## fuzz: runs every fuzz target for FUZZ_SECONDS with libFuzzer, on the pinned toolchain
fuzz: tools
	@cargo fuzz --version 2>/dev/null | grep -qF "$(CARGO_FUZZ)" || { \
	  echo "installing cargo-fuzz $(CARGO_FUZZ)"; $(CARGO) install --locked cargo-fuzz --version $(CARGO_FUZZ); }
	$(CARGO) fuzz build $(FUZZ)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; fast=$${TMPDIR:-/tmp}; [ ! -d /dev/shm ] || fast=/dev/shm; \
	for target in $(FUZZ_TARGETS); do \
	  new=$$(mktemp -d); \
	  TMPDIR=$$fast $(CARGO) fuzz run $(FUZZ) $$target "$$new" tests/fuzz/corpus/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=4096 -dict=tests/fuzz/words.dict \
	    >"$$log" 2>&1 || { tail -40 "$$log"; echo "$$target crashed"; rm -rf "$$new"; exit 1; }; \
	  rm -rf "$$new"; \
	  awk -v target=$$target '/^Done/ { n = $$2; s = $$5 } \
	    END { if (n == 0) exit 1; print target ": " n " executions in " s " s, no crash" }' "$$log"; \
	done

## screenshots: captures every screen, wide and on a phone, in both themes, into web/screenshots; one into docs/pictures
screenshots: tools ui chromium
	$(CARGO) build --locked --features test-faults
	cd web && ABBADO_SCREENSHOTS=screenshots npm run e2e -- tests/screens.e2e.ts
	mkdir -p docs/pictures
	cp web/screenshots/run-activity-1440-light.png docs/pictures/run.png

## bench: measures performance ratios against their limits (25 minutes, 25 GB of disk)
bench: tools peers nchan terminado
	$(CARGO) bench --profile dist --locked --bench system
	$(CARGO) bench --profile dist --locked --bench branches

## nchan: unpacks nginx with nchan, which the bench of event streams compares with, without starting its service
nchan:
	@test -e /usr/lib/nginx/modules/ngx_nchan_module.so -o -e "$$ABBADO_TEST_PROGRAMS/nginx/usr/sbin/nginx" || { \
	  echo "unpacking nginx and libnginx-mod-nchan (Debian packages) into $$ABBADO_TEST_PROGRAMS/nginx"; \
	  apt-get update -q; mkdir -p "$$ABBADO_TEST_PROGRAMS/nginx"; cd "$$ABBADO_TEST_PROGRAMS/nginx"; \
	  apt-get download -q nginx libnginx-mod-nchan; for package in *.deb; do dpkg -x "$$package" .; done; rm *.deb; }
	@test -d /var/lib/nginx || { echo "creating /var/lib/nginx, which nginx with nchan needs whatever its configuration says"; \
	  mkdir -p /var/lib/nginx; }

## growth: measures the cost of more events, readers and runs, as plots in docs/performance (about 5 minutes)
growth: tools
	$(CARGO) bench --profile dist --locked --bench system -- growth

## soak: runs SOAK_MINUTES of mixed load and reports what grew; moves the clock by a month at its end (test-faults)
soak: tools
	@echo "the soak takes $(SOAK_MINUTES) minutes"
	$(CARGO) bench --profile dist --locked --features test-faults --bench system -- soak --minutes $(SOAK_MINUTES)

## audit: checks licences, bans and sources of dependencies (installs cargo-deny on first use)
audit:
	command -v cargo-deny >/dev/null || { echo "installing cargo-deny"; $(CARGO) install --locked cargo-deny; }
	$(CARGO) deny check bans licenses sources
	@$(CARGO) deny check advisories || echo "advisories NOT checked: the advisory database cannot be reached"

## openapi: regenerates schema/openapi.json and the UI's client from the handlers
openapi: tools node web/node_modules/.package-lock.json
	ABBADO_WRITE_OPENAPI=1 $(CARGO) test --locked --features test-faults --test architecture openapi
	cd web && npm run api

## ui: builds the web UI into web/dist; the next cargo build embeds it
ui: node web/dist/index.html

web/dist/index.html: web/node_modules/.package-lock.json $(shell find web/src web/public -type f) \
  src/pty/emulator/widths.txt \
  web/index.html web/vite.config.ts web/tsconfig.json
	cd web && npm run build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

## node: checks that Node.js is new enough for the UI
node:
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
	  2>/dev/null || { echo "the web UI is built with Node.js 20.19 or newer; here is $$(node --version 2>/dev/null || echo none)" >&2; exit 1; }

## tools: installs what a build needs from the system
tools:
	@command -v cc >/dev/null && command -v git >/dev/null || { \
	  echo "installing gcc and git (Debian packages)"; apt-get update -q && apt-get install -y -q gcc git; }

## filters: installs git-lfs and git-crypt, which tests of commits and checkpoints use
filters:
	@command -v git-lfs >/dev/null && command -v git-crypt >/dev/null || { \
	  echo "installing git-lfs and git-crypt (Debian packages)"; \
	  apt-get update -q && apt-get install -y -q git-lfs git-crypt; }

## chromium: installs the browser for the UI's tests
chromium:
	@command -v chromium >/dev/null || { \
	  echo "installing chromium (Debian package)"; apt-get update -q && apt-get install -y -q chromium; }

## xterm: installs xterm.js for the comparison of screens, at the version of tests/xterm/package-lock.json
xterm: node tests/xterm/node_modules/.package-lock.json

tests/xterm/node_modules/.package-lock.json: tests/xterm/package-lock.json
	cd tests/xterm && npm ci --no-audit --no-fund
	touch $@

## programs: installs the real CLIs for the tests, at the versions of tests/programs/package-lock.json
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

# Python programs: name, folder in ABBADO_TEST_PROGRAMS, requirements file
define PYTHON_PROGRAM
	@cmp -s $(3) "$$ABBADO_TEST_PROGRAMS/$(2)/installed.txt" || { \
	  python3 -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "installing python3 and python3-venv (Debian packages)"; \
	    apt-get update -q && apt-get install -y -q python3 python3-venv; }; \
	  echo "installing $(1) into $$ABBADO_TEST_PROGRAMS/$(2)"; \
	  mkdir -p "$$ABBADO_TEST_PROGRAMS"; \
	  python3 -m venv --clear "$$ABBADO_TEST_PROGRAMS/$(2)"; \
	  "$$ABBADO_TEST_PROGRAMS/$(2)/bin/pip" install -q --disable-pip-version-check --require-hashes \
	    -r $(3); \
	  cp $(3) "$$ABBADO_TEST_PROGRAMS/$(2)/installed.txt"; }
endef

## schemathesis: installs Schemathesis, which tests the server by its openapi.json
schemathesis:
	$(call PYTHON_PROGRAM,Schemathesis,schemathesis,tests/schemathesis/requirements.txt)

## generators: installs a validator and a client generator for openapi.json
generators:
	$(call PYTHON_PROGRAM,a validator and a generator for OpenAPI,openapi,tests/openapi/requirements.txt)

## peers: installs tmux and curl, which the bench compares with
peers:
	@command -v tmux >/dev/null && command -v curl >/dev/null || { \
	  echo "installing tmux and curl (Debian packages)"; apt-get update -q && apt-get install -y -q tmux curl; }

## terminado: installs Jupyter's terminal server, which the bench compares with
terminado:
	$(call PYTHON_PROGRAM,terminado,terminado,benches/system/peers/requirements.txt)
