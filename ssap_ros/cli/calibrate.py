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

"""ssap calibrate"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from ssap_ros.cli.options import add_model, positive, require
from ssap_ros.config import SsapConfig

HELP = "fit the biases and scores of a trained model"
DETAILS = """Fits one bias per affinity level and class on annotated images, to the mean precision
of four views (as ssap evaluate --views four), and the scores, so that one says how likely an
instance overlaps an object of its class with IoU .5. Writes a copy of the model with them. Scores
on those images are then optimistic: the biases were chosen on them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--annotations", required=True, type=Path, metavar="JSON")
    parser.add_argument("--images", required=True, type=Path, metavar="DIR")
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N images only")
    parser.add_argument("--out", required=True, type=Path, metavar="ONNX", help="the copy")
    parser.add_argument("--json", type=Path, metavar="OUT", help="what was fitted")


def run(options: argparse.Namespace) -> int:
    require("onnx", "onnx is not installed: pip install -r environment/requirements-train.txt")
    from ssap_ros.backends import model_path
    from ssap_ros.common.outputs import claim_file, write_json
    from ssap_ros.evaluation.calibration import calibrate
    from ssap_ros.evaluation.evaluators import ImageSet
    from ssap_ros.evaluation.predict import PredictionSettings
    from ssap_ros.network.calibrated_onnx import write_calibrated

    config = SsapConfig(model_file_path=options.model)
    images = ImageSet("coco", options.annotations, options.images)
    for path in filter(None, (options.out, options.json)):
        claim_file(path, [model_path(config), options.annotations])
    fitted = calibrate(images, PredictionSettings(config), options.limit)
    write_calibrated(
        model_path(config),
        options.out,
        fitted.affinity_biases,
        fitted.class_biases,
        fitted.score_logistic,
    )
    if options.json:
        write_json(options.json, dataclasses.asdict(fitted))
    print(f"written: {options.out}")
    return 0
