#!/usr/bin/env bash
# Every linter, all of them even when one complains; fails if one did. Run it as `make lint`.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
run() {
    local name=$1
    shift
    echo "lint: $name"
    "$@" || failed+=("$name")
}

warnings() {
    # Headers of Python and pybind11 are not ours: -isystem keeps their warnings out.
    local includes
    includes=$(.venv/bin/python -m pybind11 --includes | sed 's/-I/-isystem /g') || return
    for source in ssap_ros/csrc/bindings/*.cpp; do
        # shellcheck disable=SC2086
        g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
            -Issap_ros/csrc $includes -isystem .venv/include "$source" || return
    done
}

run "ruff check" .venv/bin/ruff check .
run "ruff format" .venv/bin/ruff format --check .
run "mypy" .venv/bin/mypy
run "clang-format" .venv/bin/clang-format --dry-run -Werror ssap_ros/csrc/*.cu ssap_ros/csrc/*/*.{cpp,hpp} \
    test/*/*.{cpp,hpp}
run "compiler warnings" warnings

# The linters of ROS, where a distribution or Debian brings them.
if command -v ament_copyright >/dev/null; then
    run "ament_copyright" ament_copyright benchmarks environment launch ssap_ros test
fi
if command -v ament_lint_cmake >/dev/null; then
    run "ament_lint_cmake" ament_lint_cmake environment
fi
if command -v ament_cpplint >/dev/null; then
    # Not these: pixel/cost_rows.hpp is included once for every instruction set, from within a
    # namespace; the types of the shim are those of CUDA.
    filters=-build/header_guard,-build/include,-build/include_what_you_use,-readability/braces,-runtime/int
    run "ament_cpplint" ament_cpplint ssap_ros/csrc test --filters=$filters
fi

[[ ${#failed[@]} -eq 0 ]] && echo "lint: all good" && exit
printf 'lint: failed: %s\n' "${failed[@]}" >&2
exit 1
