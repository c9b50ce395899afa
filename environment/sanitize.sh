#!/usr/bin/env bash
# Exercises the compiled core under the address, undefined-behaviour and thread sanitizers of g++.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for kind in address,undefined thread; do
    echo "sanitize: $kind"
    g++ -std=c++17 -O1 -g -Wall -Wextra -Wpedantic -Werror "-fsanitize=$kind" \
        -fno-sanitize-recover=all -pthread -Issap_ros/csrc test/core/exercise.cpp -o "$out/exercise"
    "$out/exercise" "${1:-60}"
done
