# Two commands: `make demo` sets up and draws the worked example, `make test` sets up and runs every check's tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test chaos check setup setup-dev clean

demo: setup
	@# CI says that nothing may be simulated by accident; the demo is meant to be.
	env -u CI $(BIN)/imagebatch apply -y
	env -u CI $(BIN)/imagebatch pick --auto sharpest hero
	env -u CI $(BIN)/imagebatch apply -y
	@env -u CI $(BIN)/imagebatch gallery

# Two workers more than there are cores: many tests wait for a process or a clock.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
test: setup-dev
	$(BIN)/pytest -n auto --dist worksteal

# As many disturbed runs as are wanted, every kill point, every system call: `make chaos RUNS=1000000`.
RUNS ?= 100000
SEED ?= 100000
chaos: setup-dev
	IMAGEBATCH_CHAOS_RUNS=$(RUNS) IMAGEBATCH_CHAOS_SEED=$(SEED) IMAGEBATCH_MACHINE_EXAMPLES=$$(( $(RUNS) < 12000 ? 120 : $(RUNS) / 100 )) \
	IMAGEBATCH_CRASH_PLACES=all IMAGEBATCH_SYSCALL_POINTS=all $(BIN)/pytest -n auto --dist worksteal tests/simulation tests/planted tests/crash tests/shared tests/chaos

check: setup-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.demo
setup-dev: $(VENV)/.dev

$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/.demo: requirements.lock pyproject.toml | $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.lock -e .
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) outputs imagebatch.lock imagebatch.lock.d picks.yaml .imagebatch
