# Everything one types here. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
ARGS ?=
N ?= 300
SEED ?= 1
UV := .tools/bin/uv
PY := .venv/bin/python
PYTEST := .venv/bin/pytest -n auto --dist loadgroup -q -rs
SYNC := UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy $(UV) sync --frozen --quiet --python python3

.PHONY: help demo up test test-all browser check format faults bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# uv lives outside the environment that it manages, and is itself checked by hash.
$(UV): .ci/uv.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; this is $$(python3 --version)."; exit 1; }
	@rm -rf .tools && python3 -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r .ci/uv.txt
	@touch $@

.venv/.run: $(UV) uv.lock pyproject.toml
	@$(SYNC) --no-dev --inexact
	@touch $@

.venv/.dev: $(UV) uv.lock pyproject.toml
	@$(SYNC)
	@touch $@ .venv/.run

demo: .venv/.run ## seed the demo project, run the main job, serve it (ARGS=--no-serve stops after the comparison)
	@$(PY) manage.py demo $(ARGS)

up: .venv/.run ## migrate, then serve web, workers and beat
	@$(PY) manage.py up $(ARGS)

test: .venv/.dev ## the tests; what needs PostgreSQL, Redis or Chromium skips with its reason
	@$(PYTEST) $(ARGS)

test-all: .venv/.dev ## every test; nothing may skip for want of PostgreSQL, Redis (DATABASE_URL, REDIS_URL) or Chromium
	@LLMOPS_TEST_REQUIRE=all $(PYTEST) $(ARGS)

browser: .venv/.dev ## the tests that drive Chromium, and a picture of every page in artifacts/screens
	@LLMOPS_TEST_REQUIRE=browser $(PYTEST) -m browser $(ARGS)

check: .venv/.dev ## format, lint, types, import contracts, migrations, templates
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PY) manage.py makemigrations --check --dry-run
	@$(PY) manage.py check --fail-level WARNING
	@.venv/bin/djlint templates --lint --quiet

format: .venv/.dev ## format code and sort imports
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix-only --quiet .

faults: .venv/.dev ## kill, pause and cut real processes N times (SEED=… repeats a list) and look for lost work
	@$(PY) -m tests.faults --faults $(N) --seed $(SEED) $(ARGS)

bench: .venv/.dev ## time runs, ingestion and prompt fetch beside bare loops
	@$(PY) -m tests.bench $(ARGS)

clean: ## remove what the targets above made (never the data folder)
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache
