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

"""ssap evaluate"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ssap_ros.cli.options import add_images, add_model, image_set, positive
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError

HELP = "score the masks on annotated images"
DETAILS = """Runs the pipeline, without ROS, on annotated images and writes the scores as JSON:

  coco            instances (JSON)              AP, AP50, per class
  coco_panoptic   segments (JSON and PNG)       the same, PQ/SQ/RQ of thing and stuff classes, mIoU
  cityscapes      leftImg8bit/, gtFine/         the same, AP as Cityscapes defines it; with
                                                disparity/ and camera/ also AP100m and AP50m
  scenes          the procedural street         as coco_panoptic

Classes of the images and of the model are matched by name; the others are left out."""

_SCORES = ("AP", "AP50", "AP100m", "AP50m", "PQ", "SQ", "RQ", "IoU")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_images(parser)
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the scores")
    parser.add_argument(
        "--grouping",
        choices=("affinity", "components"),
        default="affinity",
        help="components: the baseline, each connected region of a class is one instance "
        "(default: affinity)",
    )
    parser.add_argument(
        "--long-side",
        type=positive,
        metavar="N",
        help="longer side of the network input (default: the model's own)",
    )
    parser.add_argument(
        "--flip",
        action="store_true",
        help="test-time augmentation: also predict the mirrored image",
    )
    parser.add_argument(
        "--multi-scale",
        action="store_true",
        help="test-time augmentation: also predict half and double size",
    )
    parser.add_argument(
        "--views",
        choices=("one", "four"),
        default="one",
        help="four: the mean over the image plain, mirrored, 32 pixels smaller and larger, with "
        "its 95 %% interval by bootstrap over the images (default: one)",
    )
    parser.add_argument(
        "--worst",
        type=Path,
        metavar="DIR",
        help="folder for pictures of the 8 worst images, prediction beside truth",
    )
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    from ssap_ros.common.outputs import claim_file, claim_folder, write_json
    from ssap_ros.common.progress import progress
    from ssap_ros.evaluation.images import WORST, draw_worst, report
    from ssap_ros.evaluation.predict import PredictionSettings, load_predictor
    from ssap_ros.evaluation.test_time_augmentation import SCALES
    from ssap_ros.evaluation.views import evaluate_views, four_views, mean_of_views
    from ssap_ros.evaluation.workers import parse_workers

    augmented = options.flip or options.multi_scale
    try:
        config = SsapConfig(
            model_file_path=options.model,
            backend="onnxruntime" if augmented else "auto",  # the views are averaged on the CPU
            input_long_side=options.long_side or 0,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    images = image_set(options)
    workers = parse_workers(options.workers)
    settings = PredictionSettings(
        config,
        options.grouping,
        options.flip,
        SCALES if options.multi_scale else (1.0,),
    )
    views = {"plain": settings}
    if options.views == "four":
        info = load_predictor(settings).info
        views = four_views(settings, options.long_side or info.long_side)
    if options.json:
        claim_file(options.json, [options.annotations])
    if options.worst:
        claim_folder(options.worst, [WORST], [options.images])
    with progress("evaluate", "images") as show:
        by_view = evaluate_views(images, views, options.limit, workers, show)
    scores = by_view["plain"]
    result = report(scores, settings)
    if options.views == "four":
        result |= mean_of_views(by_view)
    if options.json:
        write_json(options.json, result)
    print(table(result))
    if options.worst:
        for path in draw_worst(images, settings, scores, options.worst, 8):
            print(f"picture: {path}")
    return 0


def table(result: dict[str, Any]) -> str:
    """The scores as text, one line per class; those that nothing says anything about left out."""
    rows = {"all": result | {"IoU": result.get("mIoU")}, **result["classes"]}
    columns = [n for n in _SCORES if any(row.get(n) is not None for row in rows.values())]
    lines = [f"{'':14}" + "".join(f"{name:>8}" for name in columns)]
    for name, row in rows.items():
        values = [row.get(column) for column in columns]
        cells = "".join("       -" if v is None else f"{v:8.3f}" for v in values)
        lines.append(f"{name:14}{cells}")
    parts = [f"{n} {result[n]:.3f}" for n in ("PQ_th", "PQ_st") if result.get(n) is not None]
    return "\n".join([*lines, *([", ".join(parts)] if parts else [])])
