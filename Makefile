# Every command of the daily work. `make check` is what runs before a change is offered.
PYTHON ?= python
WORKERS ?= auto

CASES ?= 2000
FIRST ?= 0

# Pythons with real TensorFlow, 2.15 and newest, and a folder for what is passed between.
TENSORFLOWS ?= python-tf215 python-tf
INTEROP ?= build/interop

EXAMPLES ?=

.PHONY: check test bench examples fuzz interop format lint floors types names quick

check: lint floors types names quick

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

floors:
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

types:
	$(PYTHON) -m pyright

names:
	$(PYTHON) -m tests.architecture.public_names --check

quick:
	$(PYTHON) -m pytest -n $(WORKERS) -m "not slow and not network" tests

test:
	$(PYTHON) -m pytest -n $(WORKERS) -m "not network"

# Damaged files, CASES for each reader, the first with the seed FIRST.
fuzz:
	$(PYTHON) -m tests.field.damage --cases $(CASES) --first $(FIRST)

# What nacre writes, called by the programs it is for; results are kept in tests/reference.
interop:
	mkdir -p $(INTEROP)
	$(PYTHON) -m tests.reference.check_saved_models write $(INTEROP)
	$(PYTHON) -m tests.reference.check_layer_models write $(INTEROP)
	for tensorflow in $(TENSORFLOWS); do \
	  $$tensorflow -m tests.reference.check_saved_models read $(INTEROP) || exit 1; \
	  $$tensorflow -m tests.reference.check_layer_models read $(INTEROP) || exit 1; done

# Every program of examples/ at full size, or those named; pictures land in build/examples.
examples:
	$(PYTHON) -m tests.examples.check $(EXAMPLES)

bench:
	$(PYTHON) -m bench

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
