# Every command of the daily work. `make check` is what runs before a change is offered.
PYTHON ?= python
WORKERS ?= auto

CASES ?= 2000
FIRST ?= 0

# Pythons with real TensorFlow, 2.15 and newest, and a folder for what is passed between.
TENSORFLOWS ?= python-tf215 python-tf
INTEROP ?= build/interop
# Pythons for the table of formats: each does those whose runtimes it has, and goes on where it was.
RUNTIMES ?= $(PYTHON)

EXAMPLES ?=

.PHONY: check test bench examples fuzz interop formats drawn format lint floors types names quick

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

# Damaged files, CASES for each reader, the first with the seed FIRST; counts are kept.
fuzz:
	$(PYTHON) -m tests.field.damage --cases $(CASES) --first $(FIRST) \
	  --results tests/reference/damaged_files.json

# What nacre writes, called by the programs it is for; results are kept in tests/reference.
interop:
	mkdir -p $(INTEROP)
	$(PYTHON) -m tests.reference.check_saved_models write $(INTEROP)
	$(PYTHON) -m tests.reference.check_layer_models write $(INTEROP)
	for tensorflow in $(TENSORFLOWS); do \
	  $$tensorflow -m tests.reference.check_saved_models read $(INTEROP) || exit 1; \
	  $$tensorflow -m tests.reference.check_layer_models read $(INTEROP) || exit 1; done
	$(MAKE) formats

# Every layer, activation and net in every format, in its runtime: docs/formats.md.
formats:
	mkdir -p $(INTEROP)
	for runtime in $(RUNTIMES); do \
	  nice $$runtime -m tests.reference.check_formats run $(INTEROP)/formats_$$(basename $$(dirname $$(dirname $$(command -v $$runtime)))).jsonl || exit 1; done
	$(PYTHON) -m tests.reference.check_formats publish $(INTEROP)/formats_*.jsonl

# 300 nets drawn at random, in every format whose runtime is here; what is wrong is printed.
drawn:
	mkdir -p $(INTEROP)
	nice $(PYTHON) -m tests.reference.check_formats run $(INTEROP)/drawn.jsonl --drawn $(FIRST) 300

# Every program of examples/ at full size, or those named; pictures land in build/examples.
examples:
	$(PYTHON) -m tests.examples.check $(EXAMPLES)

bench:
	$(PYTHON) -m bench

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
