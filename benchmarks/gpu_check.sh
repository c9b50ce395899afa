#!/usr/bin/env bash
# gpu_check.sh [--kit DIR] [--json FILE] [PART...]: the whole GPU path, checked and timed.
#
#   --kit DIR    pieces made by make_tensorrt_kit.sh, to be unpacked first; without it the Python of
#                this machine is used (PYTHON, default python3), with TensorRT, pycuda and CuPy in it
#   --add FILE   a piece to be put aside, for pieces that come one by one; SHA256SUMS comes last
#   --work DIR   where pieces, kit, engines and results stay between calls, default /var/tmp/ssap_gpu
#   --json FILE  the result, default DIR/gpu_check.json; further calls add to it
#   PART...      words of the names of parts: machine kernels build compare times street resnet50
#                512x1024 1024x2048 batches lifecycle sanitizer; default: all
#
# Checks the kernels against double precision, builds FP16 engines of the default model and of a
# ResNet-50 (random weights, written by the Python TORCH_PYTHON, default python3, where that has
# PyTorch), compares them with ONNX Runtime in FP32, times every stage, loads and closes ten times,
# and runs compute-sanitizer. On a Jetson: benchmarks/gpu_check.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=/var/tmp/ssap_gpu
kit=
json=
parts=()
pieces=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --kit) kit=$2; shift 2 ;;
        --add) pieces+=("$2"); shift 2 ;;
        --work) work=$2; shift 2 ;;
        --json) json=$2; shift 2 ;;
        -h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0"; exit ;;
        -*) echo "gpu_check: error: unknown option $1 (see --help)" >&2; exit 2 ;;
        *) parts+=("$1"); shift ;;
    esac
done
json=${json:-$work/gpu_check.json}
mkdir -p "$work/pieces" "$(dirname "$json")"
say() { echo "gpu_check: $*" >&2; }

[[ ${#pieces[@]} -eq 0 ]] || cp "${pieces[@]}" "$work/pieces/"
if [[ -z $kit && -f $work/pieces/SHA256SUMS ]]; then
    kit=$work/pieces
elif [[ ${#pieces[@]} -gt 0 ]]; then
    say "$(ls "$work/pieces" | wc -l) pieces put aside"
    exit
fi

python=${PYTHON:-python3}
if [[ -n $kit || -f $work/kit/complete ]]; then
    if [[ ! -f $work/kit/complete ]]; then
        say "unpacking the kit"
        (cd "$kit" && sha256sum --quiet -c SHA256SUMS)
        rm -rf "$work/kit"
        mkdir -p "$work/kit"
        cat "$kit"/kit.tar.xz.* | xz -dc -T0 | tar -C "$work/kit" -xf -
        touch "$work/kit/complete"
    fi
    python=$work/kit/python/bin/python3.10
    export PYTHONHOME=$work/kit/python PYTHONPATH=$work/kit/site
    LD_LIBRARY_PATH=$work/kit/site/tensorrt:$work/kit/python/lib:${LD_LIBRARY_PATH:-}
fi

# CuPy compiles with NVRTC, wherever this machine keeps it.
nvrtc=$(find /usr /opt -xdev -name 'libnvrtc.so.1[0-9]' -not -path '*/stubs/*' 2>/dev/null | sort | tail -n 1)
export LD_LIBRARY_PATH=${nvrtc:+$(dirname "$nvrtc")}:${LD_LIBRARY_PATH:-} PYTHONDONTWRITEBYTECODE=1
[[ -d /usr/local/cuda ]] && export CUDA_PATH=${CUDA_PATH:-/usr/local/cuda}
export PYTHONPATH=$root:${PYTHONPATH:-} XDG_CACHE_HOME=$work/cache CUPY_CACHE_DIR=$work/cupy

cd "$root"
if ! "$python" -c 'import ssap_ros._core' 2>/dev/null; then
    say "building the compiled core"
    "$python" setup.py -q build_ext --inplace >"$work/core.log" 2>&1 || { tail -n 20 "$work/core.log" >&2; exit 1; }
fi

resnet=$work/resnet50.onnx
if [[ ! -f $resnet ]]; then
    say "writing a ResNet-50"
    env -u PYTHONHOME -u LD_LIBRARY_PATH PYTHONPATH="$root" "${TORCH_PYTHON:-python3}" \
        benchmarks/write_resnet50.py "$resnet" >"$work/resnet50.log" 2>&1 ||
        say "no ResNet-50: $(tail -n 1 "$work/resnet50.log")"
fi

check=("$python" benchmarks/gpu_check.py --json "$json" --cache "$work/engines")
[[ -f $resnet ]] && check+=(--resnet50 "$resnet")

"${check[@]}" "${parts[@]}"
