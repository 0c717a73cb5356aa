# Everything on a machine that has Python 3.11 or newer, and make.
#   make demo   train the small autoencoder on real photographs (minutes)
#   make test   lint, types, tests
#   make check  lint, types, and the tests that are not slow
#   make fuzz   malformed input and kills at random, at most 15 minutes
#   make docs   the documentation site, in site/; with EXECUTE=1 its notebooks
#               are run, which takes minutes each
#   make env    only the environment, in .venv; the newest versions, tested with
#               Python 3.13, in .venv-newest by:
#               make env LOCK=requirements-newest.lock PYTHON=python3.13
#   make lock   renew both lock files

PYTHON ?= python3
LOCK ?= requirements.lock
RUN ?= runs/demo
VENV := .venv$(patsubst requirements%.lock,%,$(LOCK))
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --no-header --group dev \
  --extra perceptual pyproject.toml
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test check fuzz docs env lint lock

env: $(VENV)/ready

$(VENV)/ready: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  (echo "error: Python 3.11 or newer is needed; make env PYTHON=python3.12"; exit 1)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r $(LOCK)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

demo: $(VENV)/ready
	$(BIN)/jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=$(RUN)
	$(BIN)/jaxgen sample --workdir=$(RUN) --num=36 --method=gmm --out=$(RUN)/new_images
	$(BIN)/jaxgen evaluate --workdir=$(RUN)
	@echo "Previews: $(RUN)/samples   new images: $(RUN)/new_images/grid.png"

lint: $(VENV)/ready
	$(BIN)/ruff format --check jaxgen configs scripts tests
	$(BIN)/ruff check jaxgen configs scripts tests
	$(BIN)/pyright --pythonpath $(BIN)/python

test: lint
	$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal
	JAXGEN_TEST_XLA=default $(BIN)/python -m pytest -m user_path --numprocesses=2

check: lint
	$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal -m "not slow"

fuzz: $(VENV)/ready
	JAX_PLATFORMS=cpu timeout --signal=KILL 900 $(BIN)/python scripts/fuzz.py

docs: $(VENV)/ready
	EXECUTE=$(EXECUTE) NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lock: $(VENV)/ready
	$(COMPILE) --python-version 3.11 -o requirements.lock
	$(COMPILE) --python-version 3.13 --upgrade -o requirements-newest.lock
