# Every target sets up what it needs: Python 3.11+ and make are enough, no root.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that runs and is new enough; `make PYTHON=/path/to/python` overrides it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
ARGS ?=

.PHONY: help run demo test check bench evaluate fuzz soak format clean setup setup-dev

help: ## Explain every target
	@echo "usage: make TARGET [PYTHON=python3.12] [ARGS='...']"
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## /  \1\t/' | expand -t 14

run: setup ## Collect from live exchanges, analyse and serve on http://127.0.0.1:8000 (data in ./var)
	$(BIN)/dantaro up $(ARGS)

demo: setup ## The same path against simulated exchanges on loopback (data in ./var/demo)
	$(BIN)/dantaro demo $(ARGS)

test: setup-dev ## Run every test, on real PostgreSQL and Valkey, with a coverage figure
	tests/run $(ARGS)

check: setup-dev ## Format, lint, types, import rule, shell and Dockerfile lint, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck requirements/lock.sh .ci/run tests/run deploy/*.sh
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/pytest -q -n 2 tests/unit tests/architecture

bench: setup-dev ## Measure speed and memory, each figure beside a yardstick of the same run
	$(BIN)/python -m benchmarks $(ARGS)

evaluate: setup-dev ## Measure on recorded candles: make evaluate ARGS='--data candles.parquet --out report'
	$(BIN)/dantaro evaluate $(ARGS)

fuzz: setup-dev ## Long property and hostile-exchange runs (loopback only, bounded)
	DANTARO_TEST_FUZZ=1 $(BIN)/pytest -q tests/chaos -m fuzz $(ARGS)

soak: setup-dev ## Long runs: repeated kills and an accelerated month (loopback only, bounded)
	DANTARO_TEST_SOAK=1 $(BIN)/pytest -q tests/chaos -m soak $(ARGS)

format: setup-dev ## Format the code and apply safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment, caches and build output (never the data in ./var)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* build dist
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer found: install one, or run make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (first run only)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
