# make train   set up, then train, score and show the quickstart (about ten minutes on two cores)
# make test    set up, then run every test
# make test-quick   set up, then run the tests nearest to what has changed since the last commit, but for slow ones;
#              those that failed last time first (tests/affected.py)
# make bench   set up, then time training steps against transformers' Marian (some minutes)
# make test-oldest, make test-newest   the suite of tests/versions.txt with the oldest versions that setup.py admits,
#              or the newest of the index, in .venv-oldest or .venv-newest (some gigabytes each, for torch)
# make check   set up, then style, types and the import contract
# make faults  set up, then strike 100 drawn faults (SEED=0 NUMBER=100) and print what came of them (some minutes)
# make docs    set up, then build the documentation site in build/docs; make docs-links asks the web for its links

PYTHON ?= python3
BIN := .venv/bin
SPHINX := $(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --doctree-dir build/doctrees
CHECK_PYTHON = $(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or later is needed, and $(PYTHON) is {v.major}.{v.minor}. Name another one: make PYTHON=python3.11")'

.PHONY: train test test-quick test-oldest test-newest faults bench check docs docs-links format clean
train: .venv/ready
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$($(BIN)/python -c 'import os; print(os.cpu_count())')} \
		$(BIN)/accelerate launch -q recipes/quickstart.py

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 30

test-quick: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" --failed-first \
		$$($(BIN)/python tests/affected.py)

# uv alone can choose the lowest versions; it takes wheels from the folders that pip is told to take them from.
UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_FIND_LINKS
VERSIONS := .venv-oldest .venv-newest
test-oldest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest

test-oldest test-newest: test-%:
	@$(CHECK_PYTHON)
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet uv
	.venv-$*/bin/uv pip install --python .venv-$* --resolution $(RESOLUTION) --editable '.[dev,serve]'
	.venv-$*/bin/uv pip freeze --python .venv-$* > .venv-$*/versions.txt
	VASWANI_VERSIONS=$* OMP_NUM_THREADS=1 .venv-$*/bin/python -m pytest -n auto --dist loadfile --durations 30 \
		$$(grep -v '^#' tests/versions.txt)

SEED ?= 0
NUMBER ?= 100
faults: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python tests/faults.py --seed $(SEED) --number $(NUMBER)

bench: .venv/ready
	$(BIN)/python -m benchmarks.training.train_step --rounds 3

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests recipes benchmarks setup.py
	$(BIN)/lint-imports

docs: .venv/docs
	rm -rf build/docs
	$(SPHINX) --quiet docs build/docs

docs-links: .venv/docs
	$(SPHINX) --builder linkcheck docs build/links

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/ready: setup.py constraints.txt
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.venv/docs: .venv/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

clean:
	rm -rf .venv $(VERSIONS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
