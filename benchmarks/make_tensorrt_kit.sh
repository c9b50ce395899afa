#!/usr/bin/env bash
# make_tensorrt_kit.sh [OUT] [PIECE_MB]: TensorRT 8.5.3.1 and all that gpu_check.sh needs beside it, for
# an x86_64 machine with an NVIDIA GPU and no network, as pieces of one archive.
#
#   OUT       folder for the pieces, default out/tensorrt_kit
#   PIECE_MB  size of a piece, default 45
#
# In it: a CPython 3.10 (the last that this TensorRT serves), TensorRT without its plugins, CuPy, pycuda,
# ONNX, ONNX Runtime, OpenCV. Wants here: a python3.10 that can be moved (PYTHON310; pyenv makes such),
# CUDA 13 with nvcc (CUDA_ROOT), gcc, xz and 6 GB of disk. Downloads about 800 MB. Done steps are not
# repeated. On the GPU machine: benchmarks/gpu_check.sh --kit FOLDER_OF_THE_PIECES
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-out/tensorrt_kit}")
piece_mb=${2:-45}
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
        'pybind11<4' protobuf ml_dtypes typing_extensions flatbuffers packaging cuda-pathfinder \
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
    local wheel=$work/tensorrt-8.5.3.1-cp310-none-manylinux_2_17_x86_64.whl
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

archive() {
    rm -f "$out"/kit.tar.xz.*
    tar -C "$kit" --exclude='__pycache__' --exclude='site/onnx/backend/test' -cf - . | xz -3 -T0 | split -b "${piece_mb}M" - "$out/kit.tar.xz."
    (cd "$out" && sha256sum kit.tar.xz.* >SHA256SUMS)
}

step interpreter interpreter
step packages packages
step pycuda pycuda
step tensorrt tensorrt
step "archive-$piece_mb" archive
echo "kit: ready: $(ls "$out"/kit.tar.xz.* | wc -l) pieces, $(du -ch "$out"/kit.tar.xz.* | tail -n 1 | cut -f 1), in $out"
