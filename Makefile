# Shortcuts; everything is in scripts/ and works without make.
.DEFAULT_GOAL := help
.PHONY: help run test unit coverage check format lock

help:  ## Show these commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run:  ## Start Palio with the demo on this machine
	scripts/run

test:  ## Run all tests, with real servers
	scripts/test

unit:  ## Run the unit tests
	scripts/test tests/unit

coverage:  ## What all tests run of each file, in Ray's processes too
	-COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml COVERAGE_FILE=$(CURDIR)/var/coverage/data \
		scripts/test $(TESTS) --cov --cov-report=
	-.venv/bin/python -m coverage combine --quiet --append  # of processes that ended after the tests
	.venv/bin/python -m coverage report --skip-empty --sort=cover

check:  ## Style, types and import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format:  ## Put code into its form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock:  ## Refresh the lock files from pyproject.toml
	scripts/lock
