#!/usr/bin/env bash
# gpu_check.sh kernels|tensorrt [OPTION...] [PART...]: the GPU path, checked and timed on a GPU.
#
# kernels    without TensorRT, in about a minute: the kernels against double precision and the speed
#            of the memory; the network in PyTorch in FP16 against ONNX Runtime in FP32; image to
#            labels; compute-sanitizer on the kernels. Needs CuPy, PyTorch and ONNX Runtime.
#            PART: machine kernels compare times sanitizer network; default: all
# tensorrt   FP16 engines of the default model and of a ResNet-50 (random weights, written by
#            TORCH_PYTHON, default python3, where that has PyTorch): layer precisions, outputs, times,
#            batches, ten reloads. Needs TensorRT, pycuda and CuPy, or the kit.
#            PART: words in the names of parts, all of which must be there, joined by a comma, the
#            most wanted first: machine kernels "build,street,512x1024" compare times batches lifecycle int8; default: all
#
#   --json FILE        the result, which grows part by part; default out/gpu_check_MODE.json
#   --seconds N        no part begins after so many
#   --checkpoint FILE  kernels: a training checkpoint instead of the default model
#   --int8 FILE        tensorrt: the default model by `ssap export --int8`, for the part int8, scored on
#   --annotations FILE, --images FOLDER  COCO instances
#   --kit FOLDER       tensorrt: pieces made by make_tensorrt_kit.sh, to be unpacked first
#   --add FOLDER       tensorrt: put a piece aside, for pieces that come one by one; the last brings
#                      the checksums, and with it the kit is unpacked
#   --work FOLDER      tensorrt: where pieces, kit and engines stay, default /var/tmp/ssap_gpu
#
# The compiled core is built where it is not there for this Python. PYTHON chooses the interpreter.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
say() { echo "gpu_check: $*" >&2; }
fail() { echo "gpu_check: error: $*" >&2; exit 2; }

mode=${1:-}
work=/var/tmp/ssap_gpu
kit=
json=
options=()
parts=()
pieces=()
[[ $mode != -h && $mode != --help ]] || { sed -n '2,28s/^# \{0,1\}//p' "$0"; exit; }
[[ $mode == kernels || $mode == tensorrt ]] || fail "expected kernels or tensorrt, got '$mode' (see --help)"
shift
while [[ $# -gt 0 ]]; do
    [[ $1 != -* || $# -ge 2 ]] || fail "$1 wants a value (see --help)"
    case $mode:$1 in
        *:--json) json=$(realpath -m "$2"); shift 2 ;;
        *:--seconds) options+=(--seconds "$2"); shift 2 ;;
        kernels:--checkpoint) options+=(--checkpoint "$(realpath "$2")"); shift 2 ;;
        tensorrt:--int8 | tensorrt:--annotations | tensorrt:--images)
            options+=("$1" "$(realpath "$2")"); shift 2 ;;
        tensorrt:--kit) kit=$(realpath "$2"); shift 2 ;;
        tensorrt:--add) pieces+=("$2"); shift 2 ;;
        tensorrt:--work) work=$(realpath -m "$2"); shift 2 ;;
        *:-*) fail "unknown option $1 (see --help)" ;;
        *) parts+=("$1"); shift ;;
    esac
done
json=${json:-$root/out/gpu_check_$mode.json}
python=${PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

core() {
    "$python" -c 'import ssap_ros._core' 2>/dev/null && return
    say "building the compiled core"
    local log
    log=$(mktemp)
    "$python" setup.py -q build_ext --inplace >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "no compiled core"; }
}

cd "$root"
if [[ $mode == kernels ]]; then
    export PYTHONPATH=$root:${PYTHONPATH:-}
    core
    exec "$python" benchmarks/gpu_check_torch.py --json "$json" "${options[@]}" "${parts[@]}"
fi

mkdir -p "$work/pieces"
for piece in "${pieces[@]}"; do cp "$piece"/* "$work/pieces/"; done
if [[ -z $kit && -f $work/pieces/SHA256SUMS ]]; then
    kit=$work/pieces
elif [[ ${#pieces[@]} -gt 0 ]]; then
    say "put aside so far: $(ls "$work/pieces" | wc -l) files"
    exit
fi

if [[ -n $kit || -f $work/kit/complete ]]; then
    if [[ ! -f $work/kit/complete ]]; then
        say "unpacking the kit"
        "$python" benchmarks/unpack_kit.py "$kit" "$work/kit"
        touch "$work/kit/complete"
    fi
    python=$work/kit/python/bin/python3.10
    export PYTHONHOME=$work/kit/python PYTHONPATH=$work/kit/site
    compgen -G 'ssap_ros/_core.cpython-310-*' >/dev/null || cp "$work"/kit/core/ssap_ros/_core*.so ssap_ros/
    LD_LIBRARY_PATH=$work/kit/site/tensorrt:$work/kit/python/lib:${LD_LIBRARY_PATH:-}
fi

# CuPy compiles with NVRTC, wherever this machine keeps it.
nvrtc=$(find /usr /opt -xdev -name 'libnvrtc.so.1[0-9]' -not -path '*/stubs/*' 2>/dev/null | sort | tail -n 1)
export LD_LIBRARY_PATH=${nvrtc:+$(dirname "$nvrtc")}:${LD_LIBRARY_PATH:-} CUDA_MODULE_LOADING=LAZY
[[ -d /usr/local/cuda ]] && export CUDA_PATH=${CUDA_PATH:-/usr/local/cuda}
export PYTHONPATH=$root:${PYTHONPATH:-} XDG_CACHE_HOME=$work/cache CUPY_CACHE_DIR=$work/cupy
core

# The ResNet-50 comes last and is written meanwhile.
resnet=$work/resnet50.onnx
if [[ ! -f $resnet ]]; then
    env -u PYTHONHOME -u LD_LIBRARY_PATH PYTHONPATH="$root" "${TORCH_PYTHON:-python3}" \
        benchmarks/write_resnet50.py "$resnet" >"$work/resnet50.log" 2>&1 &
fi
exec "$python" benchmarks/gpu_check_tensorrt.py --json "$json" --cache "$work/engines" --resnet50 "$resnet" \
    "${options[@]}" "${parts[@]}"
