#!/usr/bin/env bash
# tensorrt_api.sh [8.5.3.1]: the Python bindings of several TensorRT releases, for the tests of what we
# call there, in .cache/tensorrt/. They are about 1 MB each and hold no TensorRT. Release 8.5.3.1 has no
# bindings apart: it is downloaded whole (549 MB), and only when asked for; its bindings alone stay.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
mkdir -p .cache/tensorrt

# PACKAGE VERSION: installs into a folder of its own; a Python without such a wheel goes without.
bindings() {
    local folder=.cache/tensorrt/$1-$2
    [[ -f $folder/complete ]] && return
    rm -rf "$folder"
    echo "tensorrt_api: $1 $2"
    "$python" -m pip install -q --disable-pip-version-check --no-deps --target "$folder" "$1==$2" &&
        touch "$folder/complete" || echo "tensorrt_api: no $1 $2 for this Python" >&2
}

whole() {
    local folder=.cache/tensorrt/tensorrt-$1 wheel
    [[ -f $folder/complete ]] && return
    rm -rf "$folder"
    echo "tensorrt_api: tensorrt $1 (549 MB)"
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.10 --platform manylinux_2_17_x86_64 -d "$folder" "tensorrt==$1"
    wheel=$(echo "$folder"/*.whl)
    "$python" -m zipfile -e "$wheel" "$folder/all"
    mkdir "$folder/tensorrt"
    mv "$folder"/all/tensorrt/{__init__.py,tensorrt.so} "$folder/tensorrt/"
    rm -rf "$wheel" "$folder/all"
    touch "$folder/complete"
}

if [[ $# -gt 0 ]]; then
    whole "$1"
else
    bindings tensorrt-cu12-bindings 10.3.0
    bindings tensorrt-cu13-bindings 10.16.1.11
    bindings tensorrt-cu13-bindings 11.4.0.106
fi
