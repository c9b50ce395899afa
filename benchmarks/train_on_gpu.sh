#!/usr/bin/env bash
# Trains the default model on a GPU machine that is reached by copying files and running commands.
#
#   train_on_gpu.sh pack DATA OUT      here: pictures, labels, weights and teacher's labels of DATA, as
#                                      pieces of at most PIECE_MB (44) megabytes in OUT
#   train_on_gpu.sh add PIECE...       there: put pieces aside, as they come
#   train_on_gpu.sh run MINUTES OUT    there: unpack, train for that time, leave the averaged weights,
#                                      those of the snapshots and the log in OUT
#
# CONFIG is the training configuration, default config/train_street_gpu.yaml.
#
# A time limit around `run`: 45 seconds more than MINUTES, and `timeout -k 20`; the weights are still
# saved then.
#
# The machine needs PyTorch, OpenCV, ONNX Runtime, PyYAML, TensorBoard, pycocotools and tqdm, no network
# and no compiled core. PYTHON chooses its interpreter, SSAP_TRAIN_WORK the folder that pieces and data
# are kept in between calls.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${SSAP_TRAIN_WORK:-/var/tmp/ssap_train}
python=${PYTHON:-python3}
config=${CONFIG:-config/train_street_gpu.yaml}

usage() { sed -n '2,21s/^# \{0,1\}//p' "$0"; exit "$1"; }

pack() {
    [[ $# -eq 2 ]] || usage 2
    "$python" "$root/benchmarks/pack_training_data.py" "$root/$config" "$1" "$2/data"
    mkdir -p "$2"
    rm -f "$2"/data.tar.*
    tar -C "$2/data" -cf - . | split -b "${PIECE_MB:-44}M" - "$2/data.tar."
    (cd "$2" && sha256sum data.tar.* >SHA256SUMS)
    ls -l "$2"
}

add() {
    mkdir -p "$work/pieces"
    cp "$@" "$work/pieces/"
}

run() {
    [[ $# -eq 2 ]] || usage 2
    out=$2
    mkdir -p "$work/data" "$out"
    (cd "$work/pieces" && sha256sum --quiet -c SHA256SUMS && cat data.tar.*) | tar -C "$work/data" -xf -
    # the log and the weights survive whatever ends the run
    trap collect EXIT
    cd "$root"
    PYTHONUNBUFFERED=1 "$python" -m ssap_ros.cli train --config "$config" \
        --data-root "$work/data" --out "$work/run" --minutes "$1" 2>&1 | tee "$out/train.log"
}

collect() {
    trap '' TERM # a time limit that is over signals what runs here, too
    cp "$work/run/log.jsonl" "$out/" || true
    "$python" "$root/benchmarks/split_checkpoint.py" "$work/run" "$out"
}

case ${1:-} in
    pack | add | run) "$@" ;;
    -h | --help) usage 0 ;;
    *) usage 2 ;;
esac
