# Everything a plain machine needs: Python >= 3.10, a C++ compiler and CMake; no root, no ROS, no GPU.
# Each target sets up what it needs in .venv/ and leaves a stamp there, so that a second run starts at once.
# In a ROS workspace use colcon instead: see README.

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
WORKERS ?= 2
ARGS ?=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := $(abspath $(VENV))/bin
STAMPS := $(VENV)/stamps
BUILD := $(VENV)/build
# A sourced ROS, or the venv of another project with ROS wheels, must not leak into this one: the wheels mark a process
# whose library path is set, and its children would load the other venv's libraries.
CLEAN := env -u _ROS_WHEELS_BOOTSTRAP_COMPLETE -u LD_LIBRARY_PATH -u PYTHONPATH -u PYTHONHOME -u VIRTUAL_ENV \
	-u AMENT_PREFIX_PATH -u CMAKE_PREFIX_PATH -u COLCON_PREFIX_PATH
PIP := $(CLEAN) $(BIN)/python -m pip --disable-pip-version-check install -qq $(PIP_FLAGS)
PYTEST := $(CLEAN) OMP_NUM_THREADS=1 $(BIN)/python -m pytest

INTERFACES := $(wildcard msg/*.msg srv/*.srv action/*.action cmake/*.cmake scripts/*) \
	CMakeLists.txt package.xml or_spatial/__init__.py

.PHONY: help demo test test-slow test-gpu lint format env test-env train-env wheel doctor clean

help: ## this list
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "variables: PYTHON=$(PYTHON) VENV=$(VENV) WORKERS=$(WORKERS) ARGS='more arguments' PIP_FLAGS='for pip install'"

demo: env ## nodes over a recorded room: graphs, alerts, a report with figures in demo_output/
	@$(CLEAN) $(BIN)/or_spatial demo $(ARGS)

test: test-env ## all tests that need no GPU and no patience
	@$(PYTEST) -q -n $(WORKERS) --dist loadgroup $(ARGS)

test-slow: test-env ## tests that take minutes: wheels, colcon, both orders of installing
	@$(PYTEST) -q -m slow $(ARGS)

test-gpu: test-env ## tests that need an NVIDIA GPU
	@$(PYTEST) -q -m gpu $(ARGS)

lint: $(STAMPS)/ruff ## ruff over everything
	@$(BIN)/ruff check .

format: $(STAMPS)/ruff ## mend what ruff can mend
	@$(BIN)/ruff check --fix .

env: $(STAMPS)/interfaces ## what runs the system: ROS 2 wheels, our interfaces, bin/or_spatial

test-env: $(STAMPS)/dev $(STAMPS)/interfaces ## env and what tests need, torch too

train-env: $(STAMPS)/train $(STAMPS)/interfaces ## env and what training needs

doctor: env ## what is present, what is missing and what that costs
	@$(CLEAN) $(BIN)/or_spatial doctor $(ARGS)

wheel: $(STAMPS)/venv ## a wheel with messages, nodes and share files in dist/
	@$(CLEAN) $(BIN)/python -m pip --disable-pip-version-check wheel -qq --no-deps $(PIP_FLAGS) -w dist .

clean: ## forget .venv and all that was built
	rm -rf $(VENV) build dist *.egg-info

$(STAMPS)/venv:
	@command -v cmake > /dev/null || { echo "CMake is not installed: apt install cmake, or your system's way" >&2; exit 1; }
	@command -v c++ > /dev/null || { echo "no C++ compiler: apt install g++, or your system's way" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(f"Python {sys.version.split()[0]} is too old: make PYTHON=python3.10 or newer" if sys.version_info < (3, 10) else 0)'
	@case "$$(uname -sm)" in "Linux x86_64") ;; *) echo "ROS 2 wheels exist for Linux x86_64 only, this is $$(uname -sm); use a ROS workspace: see README" >&2; exit 1;; esac
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(CLEAN) $(PYTHON) -m venv $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/ruff: requirements/dev.txt | $(STAMPS)/venv
	@$(PIP) $$(grep '^ruff' requirements/dev.txt)
	@touch $@

$(STAMPS)/runtime: requirements/runtime.txt requirements/ros.txt requirements/ros-build.txt | $(STAMPS)/venv
	@echo "installing what runs the system"
	@$(PIP) -r requirements/runtime.txt -r requirements/ros-build.txt
	@touch $@

$(STAMPS)/train: requirements/train.txt $(STAMPS)/runtime
	@echo "installing what training needs"
	@$(PIP) -r requirements/train.txt -r requirements/ros-build.txt
	@touch $@

$(STAMPS)/dev: requirements/dev.txt requirements/train.txt $(STAMPS)/runtime
	@echo "installing what tests need"
	@$(PIP) -r requirements/dev.txt
	@touch $@

$(STAMPS)/interfaces: $(INTERFACES) $(STAMPS)/runtime
	@echo "building the interfaces"
	@$(CLEAN) PATH="$(BIN):$$PATH" bash cmake/install_interfaces.sh $(abspath $(VENV)) $(abspath $(BUILD))
	@touch $@
