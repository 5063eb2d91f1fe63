# make demo   the main job, end to end, on a simulated observation
# make test   lint, types and the test suite
# make docs   the documentation, with the tutorial executed
# make soak   5000 random kills of writing processes (20 minutes);  make bench   every benchmark;  make test-slow
# Each makes its own .venv from the first python3.11 or newer it finds; a second run reuses it.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test test-slow soak bench lint docs clean

.venv/.base: pyproject.toml
	@test -n "$(PYTHON)" || { echo "xtendsrc needs Python 3.11 or newer on PATH (or PYTHON=...)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.test: .venv/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

.venv/.docs: .venv/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

demo: .venv/.base
	$(BIN)/xtendsrc demo

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n 2

test-slow: .venv/.test
	$(BIN)/pytest -n 2 --also slow

soak: .venv/.test
	XTENDSRC_SOAK_KILLS=5000 $(BIN)/pytest -s --also soak -m soak tests/registry/faults

bench: .venv/.test
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

docs: .venv/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv demo_output docs/_build docs/tutorials docs/api/generated
