# Two targets do everything: `make demo` and `make test`. Both set up what is missing first.
SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test lint types imports unit setup bench clean

help:
	@echo "make demo   set up, make the phantom case, score it, open napari on it (or take a screenshot)"
	@echo "make test   set up, then ruff, mypy, import-linter and pytest with real napari windows"
	@echo "make setup  only the environment in .venv and the system libraries"
	@echo "make clean  remove .venv, demo and caches"

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	bash scripts/setup.sh

setup: $(READY)
	@bash scripts/setup.sh --system-only

demo: setup
	$(BIN)/napari-her2 demo --out demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

unit: setup
	bash scripts/with_display.sh $(BIN)/python -m pytest -n 2 --dist loadfile

test: lint types imports unit

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
