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

"""ssap build-engine"""

from __future__ import annotations

import argparse
import json
from typing import NoReturn

from ssap_ros.cli.options import add_model, positive, size
from ssap_ros.errors import InputError

HELP = "build the TensorRT engine of a model for this machine's GPU"
DETAILS = """Builds the engine that the node would build when it is configured, so that it starts at
once. An engine fits one GPU, one TensorRT version and one model; one that fits is not built again.
With --input-size it takes images of one network input size and is fastest there; name it to the
node by the parameter engine_file_path. Without, it takes any aspect ratio and the node finds it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--out", default="", metavar="DIR", help="engine cache (default: ~/.cache/ssap_ros/engines)"
    )
    parser.add_argument("--gpu", type=int, default=0, metavar="N", help="its number (default: 0)")
    parser.add_argument(
        "--input-size", type=size, metavar="WxH", help="the one network input size, e.g. 1024x512"
    )
    parser.add_argument("--input", type=_renamed, help=argparse.SUPPRESS)
    parser.add_argument(
        "--batch",
        type=positive,
        default=1,
        metavar="N",
        help="images per pass, 1 to 8 (default: 1)",
    )
    parser.add_argument(
        "--precision",
        choices=("fp16", "fp32"),
        default="fp16",
        help="of a model in float (default: fp16); a quantized one stays int8",
    )
    parser.add_argument("--force", action="store_true", help="build although there is an engine")


def run(options: argparse.Namespace) -> int:
    from ssap_ros.backends import choose_backend, model_path
    from ssap_ros.backends.tensorrt.cache import engine_path
    from ssap_ros.backends.tensorrt.lookup import cache_folder, engine_key, find_engine
    from ssap_ros.backends.tensorrt.portable_onnx import read_info
    from ssap_ros.common.outputs import claim_folder
    from ssap_ros.common.progress import progress
    from ssap_ros.config import SsapConfig

    try:
        config = SsapConfig(
            model_file_path=options.model,
            backend="tensorrt",
            engine_cache_dir=options.out,
            gpu_id=options.gpu,
            max_batch=options.batch,
            precision=options.precision,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    model, folder = model_path(config), cache_folder(config)
    claim_folder(folder, [])
    gpu = choose_backend(config).gpu
    assert gpu is not None
    from ssap_ros.backends.tensorrt.engine import VERSION

    content = model.read_bytes()
    info = read_info(content, model)
    stride = info.levels[-1]
    if options.input_size and any(side % stride for side in options.input_size):
        height, width = options.input_size
        raise InputError(f"--input-size must be multiples of {stride}, got {width}x{height}")
    key = engine_key(content, info, config, gpu, VERSION, options.input_size)
    path = engine_path(folder, model.stem, key)
    with progress("build-engine") as show:
        find_engine(model, key, config, lambda text: show(0, note=text), force=options.force)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    print(
        f"{path}: TensorRT {VERSION} on {gpu.name}, {key.precision}, inputs {key.min_shape} to "
        f"{key.max_shape}, convolutions {sidecar['convolutions']}, built {sidecar['built_at']} in "
        f"{sidecar['build_seconds']} s"
    )
    return 0


def _renamed(text: str) -> NoReturn:
    """`--input` was HxW, against all other sizes."""
    height, _, width = text.partition("x")
    raise argparse.ArgumentTypeError(f"use --input-size WxH, here --input-size {width}x{height}")
