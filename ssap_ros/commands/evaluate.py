"""ssap evaluate"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ssap_ros.commands.options import add_model, make_parent, positive
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError

HELP = "score the masks on annotated images"
DETAILS = """Runs the pipeline, without ROS, on annotated images and writes mask AP and AP50,
overall and per class, as JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("coco",), default="coco", help="annotation format")
    parser.add_argument("--annotations", required=True, type=Path, metavar="JSON")
    parser.add_argument(
        "--images", required=True, type=Path, metavar="DIR", help="folder of the images"
    )
    parser.add_argument(
        "--json", required=True, type=Path, metavar="OUT", help="file for the scores"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="the first N images only")
    parser.add_argument(
        "--grouping",
        choices=("affinity", "components"),
        default="affinity",
        help="components: the baseline, each connected region of a class is one instance",
    )
    parser.add_argument(
        "--long-side", type=positive, metavar="N", help="longer side of the network input in pixels"
    )
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    from ssap_ros.evaluation.coco import evaluate_coco
    from ssap_ros.evaluation.progress import ProgressLine

    try:
        config = SsapConfig(model_file_path=options.model, input_long_side=options.long_side or 0)
    except ValueError as error:
        raise InputError(str(error)) from error
    make_parent(options.json)
    progress = ProgressLine("evaluate")
    result = evaluate_coco(
        options.annotations,
        options.images,
        config,
        options.limit,
        lambda done, total: progress.show(f"{done}/{total} images", force=done == total),
        options.grouping,
    )
    progress.end()
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    rows = {"all": result, **result["classes"]}
    for name, score in rows.items():
        ap, ap50 = ("   -" if score[k] is None else f"{score[k]:.3f}" for k in ("AP", "AP50"))
        print(f"{name:12} AP {ap}  AP50 {ap50}")
    return 0
