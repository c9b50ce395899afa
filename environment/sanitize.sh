#!/usr/bin/env bash
# Exercises the compiled core under the address, undefined-behaviour and thread sanitizers of g++:
# test/core/exercise*.cpp [CASES], and random calls through its Python door [SSAP_FUZZ_CASES].
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=(-std=c++17 -O1 -g -Wall -Wextra -Wpedantic -Werror -fno-sanitize-recover=all -pthread
    -Issap_ros/csrc)
for kind in address,undefined thread; do
    echo "sanitize: $kind"
    g++ "${flags[@]}" "-fsanitize=$kind" test/core/*.cpp -o "$out/exercise"
    "$out/exercise" "${1:-60}"
done

# A copy of the package with a sanitized core, in a Python that takes its memory from malloc.
echo "sanitize: address,undefined, through Python"
python=$PWD/.venv/bin/python
[[ -x $python ]] || { echo "sanitize: no .venv; run: make setup-all" >&2; exit 1; }
cp -r ssap_ros test pyproject.toml "$out"
rm -f "$out"/ssap_ros/_core*.so
includes=$("$python" -m pybind11 --includes | sed 's/-I/-isystem /g')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
# shellcheck disable=SC2086
g++ "${flags[@]}" -fsanitize=address,undefined -fvisibility=hidden -shared -fPIC $includes \
    ssap_ros/csrc/bindings/*.cpp -o "$out/ssap_ros/_core$suffix"
cd "$out"
SSAP_FUZZ_CASES=${SSAP_FUZZ_CASES:-100000} PYTHONPATH=$out PYTHONMALLOC=malloc \
    ASAN_OPTIONS=detect_leaks=0 \
    LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
    "$python" -c 'import pytest, sys; sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", *sys.argv[1:]]))' \
    test/stages/test_fuzz.py test/stages/test_core.py
