# Everything from a bare checkout: `make demo` shows what it does, `make test` checks that it does it.
PYTHON ?= python3
BIN := .venv/bin
# glibc keeps freed blocks for reuse instead of returning them to the system: PyTorch on CPUs trains faster.
export MALLOC_MMAP_THRESHOLD_ ?= 1073741824
export MALLOC_TRIM_THRESHOLD_ ?= 1073741824

.PHONY: venv demo test lint

venv: .venv/installed

.venv/installed: setup.cfg pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: venv
	$(BIN)/meshgait demo

test: venv lint
	$(BIN)/python -m pytest --numprocesses 2

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
