# Two commands: `make demo` shows it work, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
# One torch for all machines; without the pin pip may take another build than the one tested.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What meets every library once: settings, stores and buckets, images, simulation, networks, tables, files,
# the network, pages, Ray.
OLDEST := tests/test_config.py tests/cli/test_what_is_shown.py tests/cli/test_cli.py \
  tests/store/test_store.py tests/buckets/test_bucket_place.py \
  tests/micrographs/test_micrograph_reader.py tests/micrographs/test_mrc.py tests/micrographs/test_pictures.py \
  tests/micrographs/movies/test_eer.py tests/micrographs/movies/test_movie_files.py \
  tests/simulate/test_molecules.py tests/simulate/test_optics.py tests/simulate/test_projection.py \
  tests/pickers/test_weights.py tests/pickers/test_network_picker.py \
  tests/picks/test_tables.py tests/picks/test_matching.py tests/formats/test_export_star.py \
  tests/remote/test_remote_fetch.py tests/launch/test_cluster_definitions.py \
  tests/report/test_report_page.py tests/page/test_page_sources.py tests/page/test_page_guarded.py \
  tests/engine/test_contract.py \
  tests/training/test_ray_train.py::test_two_workers_train_as_one_with_the_whole_batch

.PHONY: demo test test-cluster test-oldest lint docs clean

demo: .venv/installed
	rm -rf demo
	$(BIN)/cryopick simulate --config examples/01_simulate.yaml --out demo
	$(BIN)/cryopick run demo/micrographs --diameter 180 --out demo/run
	$(BIN)/cryopick evaluate demo/run --truth demo/truth
	@echo "open demo/run/report.html in a browser"

# Three processes, a thread each, for two cores: what waits in one leaves its core to the others.
# Workers of Ray are as urgent: by default they would wait for the tests of the other processes.
# Programs that tests start find this package compiled.
test: export OMP_NUM_THREADS := 1
test: export RAY_worker_niceness := 0
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/installed
	$(BIN)/pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder

test-cluster: .venv/installed
	$(BIN)/pytest -m cluster --run-cluster

# The lowest versions that pyproject.toml allows, and tests that meet every one of them.
test-oldest: .venv/oldest/installed
	.venv/oldest/bin/python -m pytest $(OLDEST)

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

# uv, since pip finds the newest versions alone; the pin of torch is for the environment of every day.
.venv/oldest/installed: pyproject.toml
	$(PYTHON) -m venv .venv/oldest
	env -u PIP_CONSTRAINT .venv/oldest/bin/pip install --quiet uv
	.venv/oldest/bin/uv pip install --quiet --no-cache --python .venv/oldest --resolution lowest-direct --editable '.[test]'
	touch $@
