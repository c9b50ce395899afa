"""ssap replay"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ssap_ros.commands.options import add_model, positive, require_ros

HELP = "play a recording into the node and keep its answers"
DETAILS = """Starts the ROS 2 node, plays SOURCE into its camera topic and writes overlay.mp4,
pictures, summary.json and node.log to the output folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", help="video, image folder, ROS 2 bag (mcap, db3), scenes[:SEED]"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for the results"
    )
    parser.add_argument(
        "--max-frames", type=positive, metavar="N", help="play the first N frames only"
    )
    parser.add_argument(
        "--policy",
        choices=("every", "latest"),
        default="latest",
        help="latest: real time, the node skips what it cannot keep up with (default); "
        "every: wait for the node, lose nothing",
    )
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print summary.json to stdout")


def run(options: argparse.Namespace) -> int:
    require_ros()
    from ssap_ros.evaluation.ledger import describe
    from ssap_ros.evaluation.replay import replay

    summary = replay(
        options.source,
        options.out,
        max_frames=options.max_frames,
        policy=options.policy,
        model=options.model,
    )
    print(describe(summary, options.out), file=sys.stderr)
    if options.json:
        print(json.dumps(summary, indent=2))
    return 0
