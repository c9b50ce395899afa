# Copyright 2026 ssap_ros maintainers
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
# except in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
# either express or implied. See the License for the specific language governing permissions
# and limitations under the License.

"""ssap export"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ssap_ros.cli.options import positive, require, require_torch
from ssap_ros.errors import InputError

HELP = "write a trained network as ONNX"
DETAILS = "Writes the averaged weights of a checkpoint as an ONNX model that the node can load."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="PT")
    parser.add_argument(
        "--average-with",
        type=Path,
        nargs="+",
        default=[],
        metavar="PT",
        help="further checkpoints, of runs that began with the same weights: the mean of all of "
        "them is written; one that is named twice counts twice",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="ONNX")
    parser.add_argument("--fp16", action="store_true", help="half-precision weights, half the size")
    parser.add_argument(
        "--int8",
        action="store_true",
        help="a quantized model, a third of the size, for OpenVINO, ONNX Runtime and TensorRT",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="for --int8: images like those to come, and none of those for the scores",
    )
    parser.add_argument(
        "--long-side",
        type=positive,
        metavar="N",
        help="input size that the model asks for (default: that of the training)",
    )
    parser.add_argument(
        "--affinity-bias",
        type=float,
        nargs=5,
        default=(0.0,) * 5,
        metavar="B",
        help="added to the affinity logits at strides 4, 8, 16, 32 and 64: below 0 it separates "
        "objects, above 0 it joins them (default: 0; calibrated on a validation set)",
    )
    parser.add_argument(
        "--class-bias",
        type=_class_bias,
        nargs="+",
        default=[],
        metavar="CLASS=B",
        help="added to the logits of a class: above 0 more is found of it, and found wrongly",
    )
    parser.add_argument(
        "--semantic-from",
        type=Path,
        metavar="PT",
        help="checkpoint to take the classes from, where they were learned separately",
    )


def _class_bias(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected CLASS=NUMBER, got {text!r}") from None


def run(options: argparse.Namespace) -> int:
    require_torch()
    if options.int8 != (options.calibration is not None) or (options.int8 and options.fp16):
        raise InputError("expected --int8 and --calibration DIR together, and without --fp16")
    if options.int8:
        require("nncf", "NNCF is not installed: pip install -r environment/requirements-train.txt")
    from ssap_ros.common.outputs import claim_file
    from ssap_ros.network.export import export_onnx

    claim_file(options.out, [options.checkpoint, *options.average_with, options.semantic_from])

    def export(out: Path) -> None:
        export_onnx(
            options.checkpoint,
            out,
            options.fp16,
            options.long_side,
            options.affinity_bias,
            dict(options.class_bias),
            options.semantic_from,
            options.average_with,
        )

    if options.int8:
        from ssap_ros.network.quantize import quantize_onnx

        with tempfile.TemporaryDirectory() as folder:
            in_float = Path(folder) / options.out.name
            export(in_float)
            n_images = quantize_onnx(in_float, options.out, options.calibration)
        print(f"quantized with {n_images} images of {options.calibration}")
    else:
        export(options.out)
    print(f"written: {options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")
    return 0
