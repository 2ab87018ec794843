# One command per chore.
PYTHON ?= python3

.PHONY: install check test format

install:  ## everything a developer needs, into the current environment
	$(PYTHON) -m pip install -e '.[dev]'

check:  ## lint, types and the arrows between rooms
	ruff check .
	ruff format --check .
	mypy
	lint-imports

test:  ## the whole suite
	$(PYTHON) -m pytest

format:  ## rewrite in the project's style
	ruff check --fix .
	ruff format .
