"""ssap predict"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ssap_ros.cli.options import add_model, parameter, pipeline_config, positive
from ssap_ros.errors import InputError

HELP = "masks of pictures, folders and videos as files, without ROS"
DETAILS = """Segments every picture of the SOURCEs and writes to DIR:

  --format masks (default)
    overlays/NAME.jpg      the picture with the instances drawn into it
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
        "--format", choices=("masks", "coco", "yolo"), default="masks", help="see above"
    )
    parser.add_argument(
        "--masks",
        choices=("rle", "polygons"),
        default="rle",
        help="of the COCO files: run-length codes (default), or polygons along the pixels' edges",
    )
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="one picture in N of every source"
    )
    parser.add_argument(
        "--uncertain",
        type=_score,
        default=0.0,
        metavar="SCORE",
        help="only pictures with an instance of a lower score, which deserve a look by a human",
    )
    parser.add_argument(
        "--max-frames", type=positive, metavar="N", help="the first N pictures of every source only"
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        type=parameter,
        metavar="NAME:=VALUE",
        help="a setting of the pipeline, such as score_threshold:=0.5",
    )
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    from ssap_ros.common.progress import progress
    from ssap_ros.prediction.predict import PredictOptions, predict

    if options.masks == "polygons" and options.format == "yolo":
        raise InputError("--masks is for COCO files; --format yolo has polygons always")
    config = pipeline_config(options.model, dict(options.param))
    what = PredictOptions(
        options.format, options.masks, options.every, options.uncertain, options.max_frames
    )
    with progress("predict", "pictures") as show:
        counts = predict(options.source, options.out, what, config, show)
    print(
        f"{options.out}: {counts.written} of {counts.read} pictures, {counts.instances} instances",
        file=sys.stderr,
    )
    for problem in counts.problems:
        print(f"ssap: error: partial result: {problem}", file=sys.stderr)
    return 1 if counts.problems else 0


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = 0.0
    if not 0 < score <= 1:
        raise argparse.ArgumentTypeError(f"expected a score above 0, at most 1, got {text!r}")
    return score
