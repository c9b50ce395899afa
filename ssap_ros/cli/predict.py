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

"""ssap predict"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ssap_ros.cli.options import (
    add_label_options,
    add_model,
    add_parameters,
    pipeline_config,
    positive,
)
from ssap_ros.errors import InputError

HELP = "masks of pictures, folders and videos as files, without ROS"
DETAILS = """Segments every picture of the SOURCEs and writes to DIR:

  --format masks (default)
    overlays/NAME.jpg      the picture with the instances drawn into it; of a video NAME.mp4
    instances/NAME.png     16 bits: 0 = no instance, k = the instance of rank k
    predictions.json       COCO annotations: class, score, box, mask
  --format coco            labels to train on, with `ssap train`, CVAT or Label Studio
    images/, annotations.json
  --format yolo
    images/, labels/NAME.txt, data.yaml

SOURCE is an image, a folder of images, a video or scenes[:SEED]. All is written at the end, in
place of what an earlier run wrote; a file that ssap did not write is never replaced."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="+", metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where files go")
    parser.add_argument(
        "--format",
        choices=("masks", "coco", "yolo"),
        default="masks",
        help="see above (default: masks)",
    )
    add_label_options(parser)
    parser.add_argument(
        "--max-frames", type=positive, metavar="N", help="the first N pictures of every source only"
    )
    add_parameters(parser, "setting of the pipeline")
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    from ssap_ros.common.progress import progress
    from ssap_ros.prediction.formats import OutputOptions
    from ssap_ros.prediction.predict import predict

    if options.masks == "polygons" and options.format == "yolo":
        raise InputError("--masks is for COCO files; --format yolo has polygons always")
    config = pipeline_config(options.model, dict(options.param))
    what = OutputOptions(options.format, options.masks, options.every, options.uncertain)
    with progress("predict", "pictures") as show:
        counts = predict(options.source, options.out, what, config, show, options.max_frames)
    print(
        f"{options.out}: {counts.written} of {counts.read} pictures, {counts.instances} instances",
        file=sys.stderr,
    )
    for problem in counts.problems:
        print(f"ssap: error: partial result: {problem}", file=sys.stderr)
    return 1 if counts.problems else 0
