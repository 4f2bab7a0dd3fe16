# make demo   trains and measures on the bundled images (KERAS_BACKEND=tensorflow|jax|torch, TensorFlow by default)
# make test   runs the whole suite on TensorFlow, and on JAX and PyTorch what depends on the backend
# make docs   builds the guide in docs/_build
# make lint   checks style and types; make coverage   shows the lines that no test runs on any backend
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test docs lint coverage clean

PYTHON ?= python3
KERAS_BACKEND ?= tensorflow
BACKENDS := tensorflow jax torch
VENV := .venv
BIN := $(VENV)/bin
# An exact torch: an open range takes the newest CUDA build, several gigabytes that no test needs.
TORCH := torch==2.13.0
REQUIREMENT_tensorflow :=
REQUIREMENT_jax :=
REQUIREMENT_torch := $(TORCH)

ifeq ($(filter $(KERAS_BACKEND),$(BACKENDS)),)
$(error KERAS_BACKEND must be one of: $(BACKENDS). Received: KERAS_BACKEND=$(KERAS_BACKEND))
endif

# TensorFlow leaves oneDNN off on CPUs without AVX-512, where it makes the training step of the demo faster too.
demo: $(VENV)/.installed-$(KERAS_BACKEND)
	TF_ENABLE_ONEDNN_OPTS=1 KERAS_BACKEND=$(KERAS_BACKEND) $(BIN)/python -m apps.quickstart configs/quickstart/cifar10_mini.yaml

# Tests marked `once` touch no backend's arithmetic: what they say on TensorFlow holds on the others.
test: $(VENV)/.installed-test lint
	for backend in $(BACKENDS); do \
	  echo "== $$backend"; \
	  marks=; if [ $$backend != tensorflow ]; then marks="not once"; fi; \
	  KERAS_BACKEND=$$backend $(BIN)/python -m pytest --slow -n 2 --durations=20 -m "$$marks" $(PYTEST_ARGS); \
	done

# What the arithmetic stands on: a line there that no test runs on any backend is one too many.
CORE := keras_freq/spectral/*,keras_freq/layers/*,keras_freq/evaluate/*,keras_freq/shortcuts/*

coverage: $(VENV)/.installed-test
	for backend in $(BACKENDS); do \
	  COVERAGE_FILE=.coverage.$$backend KERAS_BACKEND=$$backend \
	    $(BIN)/python -m pytest --slow -n 2 --cov --cov-report= $(PYTEST_ARGS); \
	done
	$(BIN)/coverage combine
	$(BIN)/coverage report --show-missing --skip-covered
	$(BIN)/coverage report --include='$(CORE)' --fail-under=95 --format=total

docs: $(VENV)/.installed-docs
	KERAS_BACKEND=tensorflow $(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "keras_freq needs Python 3.11 or later. Received: $$($(PYTHON) --version). Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[tensorflow,jax,torch,test]' $(TORCH)
	touch $@

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[tensorflow,docs]'
	touch $@

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[$*,apps]' $(REQUIREMENT_$*)
	touch $@

clean:
	rm -rf $(VENV) runs docs/_build .pytest_cache .ruff_cache .coverage*
