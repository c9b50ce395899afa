# One short command per task; `make help` lists them.

PYTHON ?= python3
SOURCE ?=
OUT ?= out/demo

.PHONY: help setup demo test lint format clean setup-all
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## the environment .venv with ROS 2, the compiled core and the command .venv/bin/ssap
	@PYTHON="$(PYTHON)" environment/setup.sh

setup-all:
	@PYTHON="$(PYTHON)" environment/setup.sh train dev

demo: setup  ## masks on real video, through the ROS 2 node [SOURCE=video, images or bag] [OUT=out/demo]
	@source="$(SOURCE)"; \
	.venv/bin/ssap replay "$${source:-$$(environment/fetch_demo_video.sh)}" --out "$(OUT)" \
		--policy latest --max-frames 100

test: setup-all  ## all tests
	@.venv/bin/python -m pytest

lint: setup-all  ## ruff, mypy, clang-format and compiler warnings
	@environment/lint.sh

format: setup-all  ## formats Python and C++
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .
	@.venv/bin/clang-format -i ssap_ros/csrc/*.cpp ssap_ros/csrc/*.hpp

clean:  ## removes what was built: .venv, out/, build/, caches
	rm -rf .venv .cache out build install log *.egg-info ssap_ros/_core*.so \
		.pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
