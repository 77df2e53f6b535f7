# Two commands: `make demo` shows it work, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
# One torch for all machines; without the pin pip may take another build than the one tested.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-cluster lint clean

demo: .venv/installed
	rm -rf demo
	$(BIN)/cryopick simulate --config examples/01_simulate.yaml --out demo
	$(BIN)/cryopick run demo/micrographs --diameter 180 --out demo/run
	$(BIN)/cryopick evaluate demo/run --truth demo/truth
	@echo "open demo/run/report.html in a browser"

# Two processes, a thread each, are enough for two cores; what waits in one leaves its core to the other.
# Workers of Ray are as urgent: by default they would wait for the tests of the other process.
# Programs that tests start find this package compiled.
test: export OMP_NUM_THREADS := 1
test: export RAY_worker_niceness := 0
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/installed
	$(BIN)/pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

test-cluster: .venv/installed
	$(BIN)/pytest -m cluster --run-cluster

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv demo

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("cryopick-ray needs Python 3.11 or newer; run: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@
