#!/usr/bin/env bash
# make_tensorrt_kit.sh [OUT] [PIECE_MB]: TensorRT 8.5.3.1 and all that gpu_check.sh needs beside it, for
# an x86_64 machine with an NVIDIA GPU and no network, as pieces of one archive.
#
#   OUT       the pieces are the folders OUT/1, OUT/2, ...; default out/tensorrt_kit
#   PIECE_MB  largest size of a piece in MiB, default 48
#
# In it: a CPython 3.10 (the last that this TensorRT serves), TensorRT without its plugins, CuPy, pycuda,
# ONNX, ONNX Runtime, OpenCV, the compiled core of this checkout. TensorRT's libraries stay as they are:
# its builder verifies the digest of its kernels. Wants here: a python3.10 that can be moved (PYTHON310;
# pyenv makes such), CUDA 13 with nvcc (CUDA_ROOT), g++, xz and 6 GB of disk. Downloads about 800 MB. Done
# steps are not repeated. On the GPU machine: benchmarks/gpu_check.sh tensorrt --kit FOLDER with the
# content of all pieces in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-out/tensorrt_kit}")
piece_mb=${2:-48}
python=${PYTHON310:-python3.10}
for cuda in ${CUDA_ROOT:-} /usr/local/cuda-13.* /usr/local/cuda; do
    [[ -f $cuda/include/cuda.h ]] && break
done
work=$out/work
kit=$work/kit
site=$kit/site
mkdir -p "$site"

fail() { echo "kit: error: $*" >&2; exit 1; }
"$python" -c 'import sys; assert sys.version_info[:2] == (3, 10)' 2>/dev/null ||
    fail "$python is not Python 3.10; name one by PYTHON310"
[[ -f $cuda/include/cuda.h ]] || fail "no CUDA toolkit; name its folder by CUDA_ROOT"

# step NAME COMMAND...: once.
step() {
    local name=$1
    shift
    [[ -f $work/$name.done ]] && return
    echo "kit: $name"
    "$@"
    touch "$work/$name.done"
}

pip() { "$python" -m pip "$1" -q --disable-pip-version-check "${@:2}"; }

interpreter() {
    local prefix
    prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
    mkdir -p "$kit/python"
    tar -C "$prefix" -cf - --exclude='__pycache__' --exclude='lib/python3.10/test' --exclude='idlelib' \
        --exclude='config-3.10*' --exclude='site-packages' --exclude='*.a' --exclude='lib2to3' \
        bin/python3.10 include/python3.10 lib | tar -C "$kit/python" -xf -
}

packages() {
    pip install --target "$site" --only-binary=:all: --no-deps 'numpy==2.2.6' 'onnx==1.23.2' \
        'onnxruntime==1.23.2' 'opencv-python-headless<5' 'cupy-cuda13x==14.2.0' 'setuptools<80' \
        pycocotools 'pybind11<4' protobuf ml_dtypes typing_extensions flatbuffers packaging cuda-pathfinder \
        pytools siphash24 platformdirs mako markupsafe
}

# The driver's library is only linked against here.
pycuda() {
    local build=$work/pycuda
    rm -rf "$build"
    mkdir -p "$build/lib"
    echo 'int cuInit(unsigned flags) { return 100; }' |
        gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -x c - -o "$build/lib/libcuda.so"
    "$python" -m venv "$build/venv"
    local venv_pip=("$build/venv/bin/pip" --disable-pip-version-check)
    "${venv_pip[@]}" install -q 'setuptools<80' wheel 'numpy==2.2.6'
    "${venv_pip[@]}" download -q --no-deps --no-build-isolation --no-binary :all: -d "$build" pycuda==2026.1
    tar -C "$build" -xf "$build/pycuda-2026.1.tar.gz"
    (
        cd "$build/pycuda-2026.1"
        "$build/venv/bin/python" configure.py --cuda-root="$cuda" --no-cuda-enable-curand \
            --cudadrv-lib-dir="$build/lib"
        "${venv_pip[@]}" wheel -q --no-deps --no-build-isolation -w "$build" .
    ) >"$build/log" 2>&1 || { tail -n 20 "$build/log" >&2; fail "pycuda could not be built"; }
    pip install --no-deps --no-index --target "$site" "$build"/pycuda-*.whl
}

# Of the plugins and the old parsers nothing is used, and they would want cuBLAS 11 and cuDNN 8: empty
# libraries take their place.
tensorrt() {
    local name wheel=$work/tensorrt-8.5.3.1-cp310-none-manylinux_2_17_x86_64.whl
    pip download --no-deps --only-binary=:all: -d "$work" tensorrt==8.5.3.1
    "$python" -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2], sys.argv[3:])' \
        "$wheel" "$site" tensorrt/{__init__.py,tensorrt.so} \
        tensorrt/lib{nvinfer.so.8,nvinfer_builder_resource.so.8.5.3,nvonnxparser.so.8}
    rm "$wheel"
    nm -D --undefined-only "$site"/tensorrt/{tensorrt.so,libnvonnxparser.so.8} |
        grep -oE '\b(initLibNvInferPlugins|_ZN[0-9]+nv(uff|caffe)[A-Za-z0-9_]+)$' | sort -u |
        sed 's/.*/long &(void) { return 1; }/' >"$work/empty.c"
    for name in libnvinfer_plugin.so.8 libnvparsers.so.8; do
        gcc -shared -fPIC -Wl,-soname,$name "$work/empty.c" -o "$site/tensorrt/$name"
    done
}

core() {
    mkdir -p "$kit/core/ssap_ros"
    PYTHONPATH=$site "$python" setup.py -q build_ext --build-lib "$kit/core" --build-temp "$work/core"
}

# Parts of one archive, each compressed for itself with a window that sees its other kernels, are cut
# small and dealt out to pieces.
archive() {
    local part
    rm -rf "$out"/[0-9]* "$work/chunks"
    mkdir "$work/chunks"
    tar -C "$kit" --sort=name --exclude='__pycache__' --exclude='site/onnx/backend/test' --exclude='tests' \
        --exclude='site/onnxruntime/transformers' --exclude='site/cv2/data' --exclude='*.pxd' \
        --exclude='*.pyx' -cf - . | split -d -a 1 -b 512M - "$work/chunks/kit.tar."
    find "$work/chunks" -type f -print0 | xargs -0 -n 1 -P 2 xz --lzma2=preset=6,dict=256MiB
    for part in "$work"/chunks/*.xz; do
        split -d -a 3 -b 6M "$part" "$part."
        rm "$part"
    done
    deal_out
    (cd "$out" && sha256sum [0-9]*/kit.tar.*) | sed 's|  [0-9]*/|  |' >"$work/SHA256SUMS"
    mv "$work/SHA256SUMS" "$(ls -d "$out"/[0-9]* | sort -V | tail -n 1)"
}

# Largest first, each to the first piece with room for it.
deal_out() {
    local chunk size piece
    local -A bytes
    for chunk in $(ls -S "$work"/chunks/*); do
        size=$(stat -c %s "$chunk") piece=1
        while ((${bytes[$piece]:-0} + size > piece_mb << 20)); do piece=$((piece + 1)); done
        bytes[$piece]=$((${bytes[$piece]:-0} + size))
        mkdir -p "$out/$piece"
        mv "$chunk" "$out/$piece"
    done
}

step interpreter interpreter
step packages packages
step pycuda pycuda
step tensorrt tensorrt
step core core
step "archive-$piece_mb" archive
echo "kit: ready, pieces:"
du -m --apparent-size "$out"/[0-9]*
