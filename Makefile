# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ISSUE ?= 1
# Two more than there are processors: tests wait for processes and clocks as well.
TEST_PROCESSES ?= $(shell expr $$(nproc) + 2)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo install install-dev weights weights-test test test-system check format lock accept soak clean

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements/runtime.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/.runtime ## install what running needs, exactly as locked
install-dev: $(VENV)/.dev ## install what developing needs, exactly as locked

weights: install ## pull and convert the models the default pipeline needs
	$(BIN)/aiqyn weights pull --default

weights-test: install-dev
	$(BIN)/aiqyn weights pull --all

demo: install ## the main job on embedded defaults: footage in, two blind judgements, a signed match out
	$(BIN)/aiqyn demo

test: install-dev weights-test ## all tests that need wheels only (under 10 minutes, no root)
	$(BIN)/python -m pytest -m "not system" --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-system: install-dev weights-test ## tests that need Debian packages; installs them where it may
	deploy/test-system.sh $(BIN)/python

check: install-dev ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml
	$(BIN)/hadolint Dockerfile

format: install-dev ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Asked for by trackeval and not needed by what we use of it: the other OpenCV build, and plotting (which the
# development lock keeps, for supervision). tests/contract/test_locks.py holds this.
LEFT_OUT := opencv-python matplotlib contourpy cycler kiwisolver fonttools pyparsing python-dateutil tzdata

lock: ## renew the hash-pinned lock files (needs uv)
	uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra evaluate --extra postgres --group build $(LEFT_OUT:%=--no-emit-package %) -o requirements/runtime.txt
	uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra evaluate --extra otel --extra postgres --extra s3 --group build --group dev --no-emit-package opencv-python -o requirements/dev.txt

accept: install-dev weights-test ## every acceptance line of ISSUE=n with its figure, and JSON
	$(BIN)/python -m bench.accept $(ISSUE)

soak: install-dev weights-test ## the long runs
	$(BIN)/python -m bench.soak

clean: ## remove the environment and caches of this checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist out
