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

"""ssap replay"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ssap_ros.cli.options import add_label_options, add_model, add_parameters, positive, require_ros
from ssap_ros.errors import InputError

HELP = "play recordings into the node, keep and score its outputs, write a report"
DETAILS = """Starts the ROS 2 node, plays SOURCE into its camera topics and writes to DIR:

  report.html      scores, speed, the frames worth looking at; one file, opens anywhere
  summary.json     all figures, and a digest of all masks and detections
  frames.json      one line per frame: digest, latency, instances, quality
  recording.mcap   the node's output, at the times of the recording; for RViz and Foxglove
  overlay.mp4, frame_*.png, node.log (depth_node.log)

SOURCE is a video, an image, a folder of images, a ROS 2 bag (mcap, sqlite3) or scenes[:SEED]. With
ground-truth topics in the bag the outputs are scored: AP, AP50, PQ, SQ, RQ, mIoU. `ssap make-bag`
writes such bags, and its help describes the topics. With --depth-topic the depth node runs beside
the node; with --gt-objects its objects are scored: recall by distance, error of the centres.

With --policy every each frame gets exactly one output, and two replays of one bag give the same
digest. Several bags, or a folder of them, are replayed bag by bag, shared among --workers, into one
merged report; what is there already is not replayed again.

exit codes: 0 whole, 1 the node failed, or the result is partial or worse than tolerated, 2 bad
input"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="*", metavar="SOURCE", help="what to play")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the results")
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
    parser.add_argument(
        "--rate",
        type=_rate,
        default=0.0,
        metavar="X",
        help="times the speed of the recording (default: 1; with --policy every as fast as nothing "
        "is lost)",
    )
    parser.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="TOPIC",
        help="image topic of a bag; repeat it for several cameras (default: the colour camera)",
    )
    parser.add_argument(
        "--gt-instances",
        action="append",
        default=[],
        metavar="TOPIC",
        help="true instances, one topic per camera",
    )
    parser.add_argument(
        "--gt-detections",
        action="append",
        default=[],
        metavar="TOPIC",
        help="their classes (default: `detections` beside the instances)",
    )
    parser.add_argument(
        "--depth-topic",
        default="",
        metavar="TOPIC",
        help="depth images of a bag with one camera, aligned to it: also run the depth node",
    )
    parser.add_argument(
        "--depth-info-topic",
        default="",
        metavar="TOPIC",
        help="their calibration (default: `camera_info` beside them)",
    )
    parser.add_argument(
        "--gt-objects",
        default="",
        metavar="TOPIC",
        help="true objects in space, vision_msgs/Detection3DArray in the frame of the camera",
    )
    add_parameters(parser, "parameter of the node")
    add_model(parser)
    parser.add_argument(
        "--workers",
        default="",
        metavar="N",
        help="for several bags: processes of this machine, or tcp://HOST:PORT of a Dask scheduler "
        "(default: 1)",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("RUN_A", "RUN_B"),
        help="compare the folders of two replays instead; to --out go comparison.html and .json",
    )
    parser.add_argument(
        "--tolerate",
        action="append",
        default=[],
        metavar="METRIC=AMOUNT",
        help="with --compare, how much worse RUN_B may be, absolute or in percent: AP=0.01, "
        "latency_p95=20%% (default: no frame may change)",
    )
    parser.add_argument(
        "--export-labels",
        type=Path,
        metavar="DIR",
        help="also write the masks as a data set to train on, as ssap predict does; of one SOURCE",
    )
    parser.add_argument(
        "--label-format", choices=("coco", "yolo"), default="coco", help="of it (default: coco)"
    )
    add_label_options(parser)
    parser.add_argument("--json", action="store_true", help="print the summary to stdout")


def run(options: argparse.Namespace) -> int:
    if options.compare:
        return _compare(options)
    if not options.source or options.out is None:
        raise InputError("expected SOURCE and --out DIR (see ssap replay --help)")
    require_ros()
    from ssap_ros.replay.play.play import PlayOptions
    from ssap_ros.replay.replay import ReplayOptions

    how = ReplayOptions(
        max_frames=options.max_frames,
        topics=tuple(options.topic),
        gt_instances=tuple(options.gt_instances),
        gt_detections=tuple(options.gt_detections),
        depth_topic=options.depth_topic,
        depth_info_topic=options.depth_info_topic,
        gt_objects=options.gt_objects,
        play=PlayOptions(options.policy, options.rate, options.model, dict(options.param)),
    )
    summary, words = _batch(options, how) if _several(options) else _single(options, how)
    print(words, file=sys.stderr)
    if options.json:
        print(json.dumps(summary, indent=2))
    for problem in summary["problems"]:
        print(f"ssap: error: partial result: {problem}", file=sys.stderr)
    return 1 if summary["problems"] else 0


def _single(options: argparse.Namespace, how: Any) -> tuple[dict[str, Any], str]:
    from ssap_ros.prediction.formats import OutputOptions
    from ssap_ros.prediction.replay_labels import claim_labels, export_labels
    from ssap_ros.replay.replay import replay

    source, labels = options.source[0], options.export_labels
    what = OutputOptions(options.label_format, options.masks, options.every, options.uncertain)
    if labels:
        claim_labels(labels, source, options.out, what)
    summary = replay(source, options.out, how).summary
    if labels:
        count = export_labels(source, options.out, summary, how, labels, what)
        print(f"{labels}: labels of {count} pictures", file=sys.stderr)
    return summary.as_dict(), summary.describe(options.out)


def _batch(options: argparse.Namespace, how: Any) -> tuple[dict[str, Any], str]:
    from ssap_ros.evaluation.workers import parse_workers
    from ssap_ros.replay.batch import bags_of, replay_batch
    from ssap_ros.replay.replay import REPORT

    if options.export_labels:
        raise InputError("--export-labels is for one SOURCE, without --workers")
    if how.depth_topic:
        raise InputError("--depth-topic is for one SOURCE, without --workers")
    workers = parse_workers(options.workers or "1")
    summary = replay_batch(bags_of(options.source), options.out, how, workers)
    return summary.as_dict(), summary.describe(options.out / REPORT)


def _several(options: argparse.Namespace) -> bool:
    """Whether a batch is meant: several sources, workers, or a folder with more than one bag."""
    from ssap_ros.replay.bags.reader import find_bags, is_bag

    if len(options.source) > 1 or options.workers:
        return True
    path = Path(options.source[0])
    return path.is_dir() and not is_bag(path) and len(find_bags(path)) > 1


def _compare(options: argparse.Namespace) -> int:
    from ssap_ros.common.outputs import claim_folder, write_json
    from ssap_ros.replay.compare import Run, Tolerance, compare, write_comparison

    if options.source:
        raise InputError("--compare takes two folders and no SOURCE")
    tolerances = [Tolerance.parse(text) for text in options.tolerate]
    before, after = map(Run.load, options.compare)
    if options.out is not None:
        claim_folder(options.out, ["comparison.*"])
    result = compare(before, after, tolerances)
    if options.out is not None:
        write_json(options.out / "comparison.json", result.as_dict())
        write_comparison(options.out / "comparison.html", before, after, result)
    print(result.describe(), file=sys.stderr)
    if options.json:
        print(json.dumps(result.as_dict(), indent=2))
    for failure in result.failures:
        print(f"ssap: error: {failure}", file=sys.stderr)
    return 1 if result.failures else 0


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return rate
