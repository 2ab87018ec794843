# One command per chore.
PYTHON ?= python3

.PHONY: fuzz damaged blind chaos attacks overlap kills large install install-hooks check test page format results docs lock

install:  ## everything a developer needs, into the current environment
	$(PYTHON) -m pip install -e '.[dev]'

check:  ## lint, types and import contracts
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
	echo pip | $(LOCK) pyproject.toml - --extra serve --extra monitor -o src/cybersecqwen/release/requirements/bundle.txt
	$(LOCK) pyproject.toml --extra dev --extra monitor -o requirements/ci.txt
	$(LOCK) pyproject.toml --extra docs -o requirements/docs.txt

FUZZ_SECONDS ?= 3600
SEEDS ?=

damaged:  ## damaged files over the command line and the service
	$(PYTHON) fuzz/damaged.py --seeds $(SEEDS)

fuzz:  ## every reader, coverage-guided, so many seconds each; needs atheris
	for reader in $$($(PYTHON) fuzz/readers.py --list); do \
	    $(PYTHON) fuzz/readers.py $$reader --seconds $(FUZZ_SECONDS) --seeds $(SEEDS) || exit 1; \
	done

blind:  ## 100,000 mutated seeds over all readers, without coverage
	$(PYTHON) fuzz/readers.py --blind --runs 8400 --seconds 3600

chaos:  ## kills, a full disk, slow and many clients, a rebuilt knowledge base, for five minutes
	$(PYTHON) fuzz/chaos.py --seconds 300

overlap:  ## two runs at once on one output, fifty times over five verbs
	$(PYTHON) fuzz/overlap.py --tries 50

attacks:  ## the memory of a service under 200 attacks
	$(PYTHON) fuzz/attacks.py --count 200

kills:  ## every verb that writes, killed at each of its system calls; needs strace
	$(PYTHON) fuzz/kills.py

large:  ## the memory of verbs over files of 100 MB, and archives that unpack to more
	$(PYTHON) fuzz/large_files.py
