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

"""Arguments and checks that several subcommands share."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError

if TYPE_CHECKING:
    from ssap_ros.evaluation.evaluators import ImageSet


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="", metavar="PATH", help="ONNX model (default: the one shipped)"
    )


def add_images(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which annotated images, and who shares them; see `image_set`."""
    parser.add_argument(
        "--format",
        choices=("coco", "coco_panoptic", "cityscapes", "scenes"),
        default="coco",
        help="how the images are annotated (default: coco)",
    )
    parser.add_argument("--annotations", type=Path, metavar="JSON", help="of the COCO formats")
    parser.add_argument("--images", type=Path, metavar="DIR", help="of the COCO formats")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="Cityscapes: folder with leftImg8bit/ and gtFine/"
    )
    parser.add_argument("--split", default="val", help="Cityscapes: val (default), train")
    parser.add_argument(
        "--seeds",
        default="5000:100",
        metavar="FIRST:COUNT",
        help="scenes: which ones (default: 5000:100)",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N images only")
    parser.add_argument(
        "--workers",
        default="1",
        metavar="N",
        help="processes to share the images, or tcp://HOST:PORT of a Dask scheduler (default: 1)",
    )


def image_set(options: argparse.Namespace) -> ImageSet:
    """Read where the annotated images are.

    Returns:
        The set.

    Raises:
        InputError: The format lacks an option.
    """
    from ssap_ros.evaluation.evaluators import ImageSet

    files = ["annotations", "images"]
    needed = {"coco": files, "coco_panoptic": files, "cityscapes": ["root"], "scenes": []}
    for name in needed[options.format]:
        if getattr(options, name) is None:
            raise InputError(f"--format {options.format} needs --{name}")
    if options.format == "scenes":
        first, _, count = options.seeds.partition(":")
        if not (first.isdigit() and count.isdigit() and int(count) > 0):
            raise InputError(f"--seeds must be FIRST:COUNT, got {options.seeds!r}")
        return ImageSet("scenes", first_seed=int(first), count=int(count))
    if options.format == "cityscapes":
        return ImageSet("cityscapes", root=options.root, split=options.split)
    return ImageSet(options.format, options.annotations, options.images)


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """Arguments that say how labels are written, and of which pictures."""
    parser.add_argument(
        "--masks",
        choices=("rle", "polygons"),
        default="rle",
        help="of COCO files: run-length codes (default), or polygons along the edges of the pixels",
    )
    parser.add_argument(
        "--every",
        type=positive,
        default=1,
        metavar="N",
        help="one picture in N of every source (default: 1)",
    )
    parser.add_argument(
        "--uncertain",
        type=_score,
        default=0.0,
        metavar="SCORE",
        help="only pictures with an instance of a lower score, which deserve a look by a human",
    )


def positive(text: str) -> int:
    """The type of an argument that counts something."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return value


def size(text: str, least: int = 1) -> tuple[int, int]:
    """The type of an argument WxH, as (height, width)."""
    from ssap_ros.data.image_files import MAX_PIXELS

    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= least):
        expected = f"WxH like 1024x512, at least {least}x{least}"
        raise argparse.ArgumentTypeError(f"expected a size {expected}, got {text!r}")
    if int(height) * int(width) > MAX_PIXELS:
        raise argparse.ArgumentTypeError(f"expected at most {MAX_PIXELS} pixels, got {text!r}")
    return int(height), int(width)


def add_parameters(parser: argparse.ArgumentParser, of: str) -> None:
    """The argument --param, given any number of times; of: what the parameters belong to."""
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        type=parameter,
        metavar="NAME:=VALUE",
        help=f"a {of}, such as score_threshold:=0.5",
    )


def parameter(text: str) -> tuple[str, Any]:
    """The type of an argument NAME:=VALUE; the value is YAML."""
    import yaml

    name, found, value = text.partition(":=")
    try:
        if not found or not name.isidentifier():
            raise ValueError
        return name, yaml.safe_load(value)
    except (ValueError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"expected NAME:=VALUE, got {text!r}") from error


def pipeline_config(model: str, given: Mapping[str, Any]) -> SsapConfig:
    """Check the settings of a pipeline.

    Args:
        model: Path of the ONNX file, or empty.
        given: Values by name.

    Returns:
        The settings; those not given have their defaults.

    Raises:
        InputError: A name is unknown or a value wrong.
    """
    from ssap_ros.replay.play.parameters import checked_parameters

    known = {field.name for field in dataclasses.fields(SsapConfig)} - {"model_file_path"}
    if unknown := set(given) - known:
        raise InputError(f"expected a setting of {', '.join(sorted(known))}, got {min(unknown)!r}")
    return SsapConfig(model_file_path=model, **checked_parameters(given))


def require_torch() -> None:
    for module in ("torch", "onnx", "tensorboard"):
        require(module, f"{module} is missing: pip install -r environment/requirements-train.txt")


def require_ros() -> None:
    require("rclpy", "ROS 2 is not here: run `make setup`, or source a ROS 2 distribution")


def require(module: str, hint: str) -> None:
    """Raise InputError with the hint where a module is not installed."""
    if importlib.util.find_spec(module) is None:
        raise InputError(hint)


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = 0.0
    if not 0 < score <= 1:
        raise argparse.ArgumentTypeError(f"expected a score above 0, at most 1, got {text!r}")
    return score
