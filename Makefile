# Every command of the daily work. `make check` is what runs before a change is offered.
PYTHON ?= python
WORKERS ?= auto

CASES ?= 2000
FIRST ?= 0

.PHONY: check test bench fuzz format lint floors types names quick

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

# Damaged model files, CASES for each reader, the first with the seed FIRST.
fuzz:
	$(PYTHON) -m tests.field.damage --cases $(CASES) --first $(FIRST)

bench:
	$(PYTHON) -m bench

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
