SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs grc virtual-radio gpu-pack gpu-run release clean

VENV := .venv
PYTHON := $(VENV)/bin/python
# The PyTorch to install: empty for the tested CPU build, or what pip should install instead, e.g. TORCH=torch for CUDA.
TORCH ?=
# What `make test` hands on to pytest, e.g. PYTEST_ARGS="tests/test_imaging.py -x".
PYTEST_ARGS ?=
# For `make gpu-pack` and `make gpu-run`: folders of photos, and recipes with the minutes that each is given.
PHOTOS ?=
VALIDATION ?=
RUNS ?= ntscc-gpu:9
# What `make grc` opens instead of the loopback.
FLOWGRAPH ?=

help:
	@echo "make demo    send a photo over a simulated GNU Radio OFDM link; results in demo/"
	@echo "make test    run all tests          (PYTEST_ARGS=\"…\" is passed on to pytest)"
	@echo "make grc     open GNU Radio Companion with the JSCC blocks  (FLOWGRAPH=file.grc)"
	@echo "make lint    check the style"
	@echo "make docs    build the documentation site: build/site/index.html"
	@echo "make release build wheel, sdist and documentation into dist/, reproducibly"
	@echo "make setup   only set up: Debian packages, virtual environment, this project"
	@echo "             with an NVIDIA GPU: make setup TORCH=torch  (CUDA build, several GB)"
	@echo "make virtual-radio   build the SoapySDR driver of a radio without hardware (docs/guide/virtual-radio.md)"
	@echo "make gpu-pack PHOTOS=\"…\" VALIDATION=…   pack photos for a GPU machine that gets a copy of this folder"
	@echo "make gpu-run RUNS=ntscc-gpu:9   there: train a recipe for the given minutes  (docs/guide/training.md)"
	@echo "make clean   remove the virtual environment, caches and results"
	@echo
	@echo "demo, test, grc, lint and docs do the setup themselves and ask for sudo only if a Debian package is missing."

setup:
	@TORCH="$(TORCH)" scripts/setup.sh

demo: setup
	@$(VENV)/bin/gr-jscc demo --out demo

# Tests wait half of their time: three processes share two cores. A file's tests share what they set up; those
# of whole programs begin first.
test: setup
	@$(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy

docs:
	@DOCS=1 scripts/setup.sh
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet
	@echo "written: build/site/index.html"

grc: setup
	@$(VENV)/bin/gr-jscc grc $(FLOWGRAPH)

virtual-radio: setup
	@$(VENV)/bin/gr-jscc virtual-radio build

gpu-pack: setup
	@$(PYTHON) scripts/pack_photos.py build/gpu-pack/train $(PHOTOS) --mebibytes 18
	@$(PYTHON) scripts/pack_photos.py build/gpu-pack/validation $(VALIDATION) --mebibytes 4

# Without set-up: such a machine has a Python with torch, and neither GNU Radio nor a network.
gpu-run:
	@scripts/gpu-run.sh $(RUNS)

release:
	@DOCS=1 scripts/setup.sh
	@$(PYTHON) -m pip install --quiet build setuptools-scm
	@scripts/release.sh

clean:
	@rm -rf $(VENV) build dist demo *.egg-info .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
