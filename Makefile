# make train   set up, then train, score and show the quickstart (about ten minutes on two cores)
# make test    set up, then run every test
# make bench   set up, then time training steps against transformers' Marian (some minutes)
# make check   set up, then style, types and the import contract
# make docs    set up, then build the documentation site in build/docs; make docs-links asks the web for its links

PYTHON ?= python3
BIN := .venv/bin
SPHINX := $(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --doctree-dir build/doctrees

.PHONY: train test bench check docs docs-links format clean
train: .venv/ready
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$($(BIN)/python -c 'import os; print(os.cpu_count())')} \
		$(BIN)/accelerate launch -q recipes/quickstart.py

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --durations 30

bench: .venv/ready
	$(BIN)/python benchmarks/train_step.py --rounds 3

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
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or later is needed, and $(PYTHON) is {v.major}.{v.minor}. Name another one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.venv/docs: .venv/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
