#!/usr/bin/env bash
# Builds the compiled core for aarch64, a Jetson's processor, and exercises it under emulation.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
    command -v "$tool" >/dev/null || {
        echo "test-aarch64: no $tool here; install it with: sudo apt install g++-aarch64-linux-gnu qemu-user" >&2
        exit 1
    }
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
aarch64-linux-gnu-g++ -std=c++17 -O3 -Wall -Wextra -Wpedantic -Werror -static -pthread \
    -Issap_ros/csrc test/core/*.cpp -o "$out/exercise"
qemu-aarch64 "$out/exercise" "${1:-100}"
