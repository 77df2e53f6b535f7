# Two commands: `make demo` shows it work, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
# One torch for all machines; without the pin pip may take another build than the one tested.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-cluster lint docs clean

demo: .venv/installed
	rm -rf demo
	$(BIN)/cryopick simulate --config examples/01_simulate.yaml --out demo
	$(BIN)/cryopick run demo/micrographs --diameter 180 --out demo/run
	$(BIN)/cryopick evaluate demo/run --truth demo/truth
	@echo "open demo/run/report.html in a browser"

test: .venv/installed
	$(BIN)/pytest

test-cluster: .venv/installed
	$(BIN)/pytest -m cluster --run-cluster

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation, as HTML; a warning, such as of a link to nowhere, is an error.
docs: .venv/installed
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs docs/_build/html
	@echo "open docs/_build/html/index.html in a browser"

clean:
	rm -rf .venv demo docs/_build docs/reference

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("cryopick-ray needs Python 3.11 or newer; run: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test,docs]'
	touch $@
