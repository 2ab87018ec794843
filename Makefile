# One command per chore.
PYTHON ?= python3

.PHONY: install install-hooks check test page format results docs lock

install:  ## everything a developer needs, into the current environment
	$(PYTHON) -m pip install -e '.[dev]'

check:  ## lint, types and the arrows between rooms
	ruff check .
	ruff format --check .
	mypy
	lint-imports

test:  ## the whole suite
	$(PYTHON) -m pytest

page:  ## types and logic of the page, with Node.js and TypeScript
	npx --yes --package typescript@5 tsc --noEmit -p jsconfig.json
	node --test tests/page/*.test.mjs

format:  ## rewrite in the project's style
	ruff check --fix .
	ruff format .

install-hooks:  ## run the quick checks before each commit
	$(PYTHON) -m pip install pre-commit
	pre-commit install

results:  ## write the figures of results/ into the pages
	$(PYTHON) scripts/render_results.py

docs:  ## the documentation site, into site/
	$(PYTHON) -m mkdocs build --strict

# Newest versions that pyproject.toml allows, for all platforms, each with its digests.
LOCK = uv pip compile --universal --generate-hashes --python-version 3.11 --no-annotate --no-emit-index-url --quiet --custom-compile-command 'make lock'
lock:  ## the lock files of bundle and container, of CI and of the documentation
	echo pip | $(LOCK) pyproject.toml - --extra serve -o src/cybersecqwen/release/requirements/bundle.txt
	$(LOCK) pyproject.toml --extra dev --extra monitor -o requirements/ci.txt
	$(LOCK) pyproject.toml --extra docs -o requirements/docs.txt
