# One short command per task; `make help` lists them.

PYTHON ?= python3
PYTHON310 ?= python3.10
SOURCE ?=
OUT ?= out/demo
ROS ?= kilted
VENV := $(if $(filter kilted,$(ROS)),.venv,.venv-$(ROS))
SETUP := @ROS="$(ROS)" PYTHON="$(PYTHON)" environment/setup.sh
TOUCHES_ROS := test/messages test/node test/replay test/prediction/test_replay_labels.py \
	test/test_launch.py test/test_package.py
# The tests of the node mostly wait: two files at a time, each by one process with its own DDS domain.
PYTEST := -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo test sanitize test-aarch64 test-tensorrt-8 lint format clean setup-all
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## .venv with ROS 2, the compiled core and the command ssap [ROS=jazzy: .venv-jazzy]
	$(SETUP)

setup-all:
	$(SETUP) $(if $(filter kilted,$(ROS)),train batch test dev,batch test)

demo: setup  ## masks on real video, through the ROS 2 node [SOURCE=video, images or bag] [OUT=out/demo]
	@source="$(SOURCE)"; \
	$(VENV)/bin/ssap replay "$${source:-$$(environment/fetch_demo_video.sh)}" --out "$(OUT)" \
		--policy latest --max-frames 100

test: setup-all  ## all tests [ROS=jazzy: those of what touches ROS]
ifeq ($(ROS),kilted)
	@environment/tensorrt_api.sh
	@.venv/bin/python $(PYTEST)
else
	@$(VENV)/bin/python $(PYTEST) $(TOUCHES_ROS)
endif

test-tensorrt-8: setup-all  ## what we call of TensorRT 8.5 [PYTHON310=python3.10]; downloads 549 MB
	@python="$$($(PYTHON310) -c 'import sys; print(sys.executable)')" || { \
		echo "test-tensorrt-8: expected a Python 3.10; say PYTHON310=..." >&2; exit 2; }; \
	environment/tensorrt_api.sh 8.5.3.1 && PYTHON310="$$python" .venv/bin/python -m pytest \
		-k 8.5.3.1 test/backends/tensorrt

sanitize:  ## the compiled core under the sanitizers of g++
	@environment/sanitize.sh

test-aarch64:  ## the compiled core for a Jetson's processor, under qemu-user
	@environment/test_aarch64.sh

lint: setup-all  ## ruff, mypy, clang-format and compiler warnings
	@environment/lint.sh

format: setup-all  ## formats Python and C++, with the licence above every file
	@.venv/bin/python environment/license_headers.py
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .
	@.venv/bin/clang-format -i ssap_ros/csrc/*.cu ssap_ros/csrc/*/*.cpp ssap_ros/csrc/*/*.hpp test/*/*.cpp test/*/*.hpp

clean:  ## removes what was built: environments, out/, build/, caches
	rm -rf .venv .venv-jazzy .cache out build install log *.egg-info ssap_ros/_core*.so \
		.pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
