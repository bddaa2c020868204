# Every task of this project. `make` alone lists them.
# The interpreter can be chosen: `make demo PYTHON=python3.13`.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
PYTHON ?= python3
export PYTHON
# Debian keeps smtp-sink and smtp-source where only root's PATH looks.
export PATH := $(PATH):/usr/sbin:/sbin

BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --system-certs -q

.PHONY: help setup setup-dev tools demo test check bench soak lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup:  ## Make .venv with what the program needs (locked, hashes checked)
	@.ci/venv demo

setup-dev:  ## Make .venv with what development and tests need as well
	@.ci/venv dev

tools:  ## Bring the Debian packages that tests use (mail sink, Redis, browser, fonts)
	@tests/tools/debian-packages.sh

demo: setup  ## Send the sample newsletter to 500 sample subscribers on this machine
	@$(BIN)/distributor demo

test: check tools  ## Everything: the checks, then all tests with the coverage gate
	@$(BIN)/coverage erase
	$(BIN)/pytest --cov --cov-report=term

check: setup-dev  ## The quick part: lint, format, types, layers, layout, documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -p no:cacheprovider tests/unit/test_layout.py tests/unit/test_documents.py

bench: setup-dev tools  ## Measure: every script of bench/, one after the other
	@set -e; shopt -s nullglob; for script in bench/*.py; do \
		echo "== $$script"; $(BIN)/python "$$script"; done

soak: setup-dev tools  ## The long forms of the tests (kills, large lists); about an hour
	$(BIN)/pytest -m soak --timeout=7200

lock: setup-dev  ## Write the lock files anew from pyproject.toml
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock

clean:  ## Remove what builds, tests and the demo left (keeps .venv and workspaces)
	@rm -rf build dist htmlcov demo-workspace .coverage .coverage.* .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
