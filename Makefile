# Every target sets up what it needs; `make demo` and `make test` are the two that a newcomer runs.

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name 'Cargo.toml')
SOLIDITY_SOURCES := $(shell find contracts/src contracts/script contracts/tools -type f 2>/dev/null)

RESULTS := benchmarks/results
BENCHMARKS := risk capital kernel python pricing tree
LONG_BENCHMARKS := recovery
DRAWN_BENCHMARKS := pipeline growth soak

.PHONY: setup demo up test test-slow lint bench bench-long docs generate vectors clean prerequisites
.DELETE_ON_ERROR:

setup: $(STAMPS)/extension $(STAMPS)/contracts $(STAMPS)/web

demo: setup
	$(BIN)/proofbook demo

up: setup
	$(BIN)/proofbook up

test: setup
	$(BIN)/python tools/test.py

test-slow: setup
	$(BIN)/python tools/test.py --slow

lint: setup
	$(BIN)/python tools/test.py --lint

# Beside the peers of the group `bench`; what is measured goes to benchmarks/results/.
bench: setup $(STAMPS)/peers
	$(BIN)/proofbook bench --json $(RESULTS)/engines.json
	@for name in $(BENCHMARKS); do \
		$(BIN)/proofbook bench $$name --json $(RESULTS)/$$name.json || exit 1; \
	done

# What takes long, and what is drawn, too.
bench-long: setup $(STAMPS)/peers
	@for name in $(LONG_BENCHMARKS); do \
		$(BIN)/proofbook bench $$name --json $(RESULTS)/$$name.json || exit 1; \
	done
	@for name in $(DRAWN_BENCHMARKS); do \
		$(BIN)/proofbook bench $$name --json $(RESULTS)/$$name.json \
			--plot $(RESULTS)/$$name.png || exit 1; \
	done

# The site of the documentation, in target/site; a broken link fails.
docs: $(STAMPS)/packages
	$(BIN)/python tools/documentation.py

# The copies of the protocol's numbers, names and layouts in Python, Rust and Solidity.
generate: setup
	$(BIN)/python tools/generate.py

# The vectors, which only the reference program writes.
vectors: setup
	$(BIN)/python tools/vectors.py

clean:
	rm -rf $(VENV) target dist .pytest_cache .ruff_cache .hypothesis
	rm -rf contracts/node_modules contracts/out contracts/cache web/node_modules web/out
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f src/proofbook/_native*.so

prerequisites:
	@sh tools/prerequisites.sh

# Packages at the versions of pyproject.toml; asked of the registry only when that file changes.
$(STAMPS)/packages: pyproject.toml tools/constraints.txt tools/install.py | prerequisites
	@test -x $(BIN)/python || "$$(sh tools/prerequisites.sh --python)" -m venv $(VENV)
	$(BIN)/python tools/install.py
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/peers: $(STAMPS)/packages
	$(BIN)/python tools/install.py bench
	@touch $@

# The extension module, rebuilt only when Rust sources change.
$(STAMPS)/extension: $(STAMPS)/packages $(RUST_SOURCES)
	@echo "building the extension module"
	@VIRTUAL_ENV=$(abspath $(VENV)) PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
		$(BIN)/maturin develop --release --locked >$(STAMPS)/extension.log 2>&1 \
		|| { cat $(STAMPS)/extension.log; exit 1; }
	@touch $@

$(STAMPS)/node: contracts/package.json | prerequisites
	cd contracts && npm install --no-save --no-audit --no-fund --loglevel=error
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/contracts: $(STAMPS)/node contracts/foundry.toml $(SOLIDITY_SOURCES)
	cd contracts && tools/forge build --quiet
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/web: web/package.json | prerequisites
	cd web && npm install --no-save --no-audit --no-fund --loglevel=error
	@mkdir -p $(STAMPS) && touch $@
