# One name a task, the same here and in CI. What a task needs it installs, and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
BIND ?= 127.0.0.1:3000
# Of `make fuzz`: how long each target runs, and which
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= $(notdir $(wildcard tests/fuzz/corpus/*))
# Of `make soak`
SOAK_MINUTES ?= 30
FUZZ = --fuzz-dir tests/fuzz --sanitizer none
CARGO_FUZZ = 0.13.2
# The real CLIs that tests drive, kept outside the clone
export ABBADO_TEST_PROGRAMS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/abbado-test-programs

# Last of all tests, over the folder that all of them had for what is temporary
LEAKS = ABBADO_TESTS_FOLDER="$$TMPDIR" TMPDIR=/tmp $(CARGO) test --locked --features test-faults --test leaks \
  $(if $(filter prove,$@),--release) -- --nocapture --test-threads=1

# That the benches run, in the profile of the tests: their figures mean nothing there
BENCHES_RUN = $(CARGO) test --locked --features test-faults --bench parts -- --test; \
  $(CARGO) test --locked --features test-faults --bench system -- --quick; \
  $(CARGO) test --locked --features test-faults --bench system -- --quick growth soak

.PHONY: help quick dist filters run demo test check prove fuzz screenshots bench growth soak audit openapi ui node tools xterm programs schemathesis generators chromium peers nchan terminado

## help: this list
help:
	@awk -F': ' '/^## [a-z]+: / { name = substr($$1, 4); sub(/^[^:]*: /, ""); printf "make %-14s %s\n", name, $$0 }' Makefile

## run: builds the server with its UI and starts it; `make dist` builds the fast one
run: tools ui
	$(CARGO) run --locked -- serve --bind $(BIND)

## dist: the optimised binary to install, with its UI (about ten minutes on two cores)
dist: tools ui
	$(CARGO) build --profile dist --locked
	@echo "built $${CARGO_TARGET_DIR:-target}/dist/abbado"

## demo: one scripted run in a scratch repository, from queued to completed
demo: tools
	$(CARGO) run --locked -- demo

## quick: formatting, lints, unit tests and the shape of the Rust code, for the inner loop
quick: tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features test-faults -- -D warnings
	$(CARGO) test --locked --features test-faults --lib --test architecture --test makefile

# Unit tests run side by side, those of the whole program one at a time, since each starts servers of its own.
## test: everything that must hold
test: tools filters programs schemathesis generators ui chromium peers nchan terminado xterm
	export TMPDIR=$$(mktemp -d /tmp/at.XXXXXX); \
	$(CARGO) test --locked --features test-faults --lib; \
	$(CARGO) test --locked --features test-faults --bins --test '*' -- --test-threads=1; \
	$(BENCHES_RUN); \
	(cd web && npm test && npm run e2e); \
	$(LEAKS) && rmdir "$$TMPDIR"

## check: formatting, lints, the shape of the code, and that the UI's client fits the API
check: tools ui
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features test-faults -- -D warnings
	$(CARGO) test --locked --features test-faults --test architecture
	cd web && npm run check && npm run api:check

## prove: the long counts; one test at a time
prove: tools filters programs schemathesis generators ui chromium xterm
	export TMPDIR=$$(mktemp -d /tmp/at.XXXXXX); \
	ABBADO_PROVE=1 $(CARGO) test --locked --release --features test-faults -- --test-threads=1; \
	(cd web && npm test && ABBADO_PROVE=1 ABBADO_BIN=../target/release/abbado npm run e2e); \
	$(LEAKS) && rmdir "$$TMPDIR"

## fuzz: every fuzz target for FUZZ_SECONDS by libFuzzer, on the toolchain that all else is built with
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

## screenshots: every screen, wide and on a phone, in both themes, into web/screenshots; one into docs/pictures
screenshots: tools ui chromium
	$(CARGO) build --locked --features test-faults
	cd web && ABBADO_SCREENSHOTS=screenshots npm run e2e -- tests/screens.e2e.ts
	mkdir -p docs/pictures
	cp web/screenshots/run-activity-1440-light.png docs/pictures/run.png

## bench: ratios, each measured beside its limit in one run (25 minutes, 25 GB of disk)
bench: tools peers nchan terminado
	$(CARGO) bench --profile dist --locked --bench system
	$(CARGO) bench --profile dist --locked --bench branches

## nchan: the peer of event streams, unpacked and not installed, so that no service of it is started
nchan:
	@test -e /usr/lib/nginx/modules/ngx_nchan_module.so -o -e "$$ABBADO_TEST_PROGRAMS/nginx/usr/sbin/nginx" || { \
	  echo "unpacking nginx and libnginx-mod-nchan (Debian packages) into $$ABBADO_TEST_PROGRAMS/nginx"; \
	  apt-get update -q; mkdir -p "$$ABBADO_TEST_PROGRAMS/nginx"; cd "$$ABBADO_TEST_PROGRAMS/nginx"; \
	  apt-get download -q nginx libnginx-mod-nchan; for package in *.deb; do dpkg -x "$$package" .; done; rm *.deb; }
	@test -d /var/lib/nginx || { echo "making /var/lib/nginx, where nginx with nchan looks whatever it is configured to"; \
	  mkdir -p /var/lib/nginx; }

## growth: what more events, readers and runs cost, as plots in docs/performance (about 5 minutes)
growth: tools
	$(CARGO) bench --profile dist --locked --bench system -- growth

## soak: SOAK_MINUTES of mixed load, and what grew meanwhile; the clock is moved by a month at its end (test-faults)
soak: tools
	@echo "the soak takes $(SOAK_MINUTES) minutes"
	$(CARGO) bench --profile dist --locked --features test-faults --bench system -- soak --minutes $(SOAK_MINUTES)

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
  src/pty/emulator/widths.txt \
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

## filters: git-lfs and git-crypt, which tests of commits and checkpoints run
filters:
	@command -v git-lfs >/dev/null && command -v git-crypt >/dev/null || { \
	  echo "installing git-lfs and git-crypt (Debian packages)"; \
	  apt-get update -q && apt-get install -y -q git-lfs git-crypt; }

## chromium: the browser of the UI's tests
chromium:
	@command -v chromium >/dev/null || { \
	  echo "installing chromium (Debian package)"; apt-get update -q && apt-get install -y -q chromium; }

## xterm: xterm.js for the comparison of screens, as tests/xterm/package-lock.json has it
xterm: node tests/xterm/node_modules/.package-lock.json

tests/xterm/node_modules/.package-lock.json: tests/xterm/package-lock.json
	cd tests/xterm && npm ci --no-audit --no-fund
	touch $@

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

# Programs of Python: what they are called, their folder in ABBADO_TEST_PROGRAMS, their requirements
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

## schemathesis: what asks the server by its openapi.json, at the versions of tests/schemathesis
schemathesis:
	$(call PYTHON_PROGRAM,Schemathesis,schemathesis,tests/schemathesis/requirements.txt)

## generators: a validator of openapi.json and a generator of clients, at the versions of tests/openapi
generators:
	$(call PYTHON_PROGRAM,a validator and a generator for OpenAPI,openapi,tests/openapi/requirements.txt)

## peers: what the bench measures beside us, from Debian packages
peers:
	@command -v tmux >/dev/null && command -v curl >/dev/null || { \
	  echo "installing tmux and curl (Debian packages)"; apt-get update -q && apt-get install -y -q tmux curl; }

## terminado: Jupyter's terminal server, at the versions of benches/system/peers
terminado:
	$(call PYTHON_PROGRAM,terminado,terminado,benches/system/peers/requirements.txt)
