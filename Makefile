# Everything from a bare checkout: `make demo` shows what it does, `make test` checks that it does it.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test kill lint

demo: .venv/installed
	$(BIN)/meshgait demo

test: lint
	$(BIN)/python -m pytest --numprocesses 2

# Kills and stops commands at random moments, and compares with runs that nobody stopped: slow, so not among the tests.
kill: .venv/installed-dev
	$(BIN)/python tools/interruptions.py

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: setup.cfg setup.py pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) .
	touch $@

# What tests and `make lint` need besides; smplx, the tests' reference, is for non-commercial research only.
.venv/installed-dev: .venv/installed
	$(INSTALL) '.[dev]'
	touch $@
