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

"""ssap make-bag"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from ssap_ros.cli.options import positive, size
from ssap_ros.errors import InputError

HELP = "make a ROS 2 bag of a video, pictures, a data set or procedural scenes"
DETAILS = """Writes SOURCE as an mcap bag with the topic /camera/image, to be replayed with
`ssap replay`, `ros2 bag play` or Foxglove.

Annotated sources get ground truth, too:
  /camera/gt/instances    mono16: 0 = background, k = detections[k-1], 65535 = not annotated
  /camera/gt/detections   class of each; score 0 = a crowd, which is not counted; id = the object
  /camera/gt/label_info   names of the classes

With --depth, which procedural scenes have:
  /camera/depth, /camera/camera_info     16UC1 in millimetres, aligned to the image
  /camera/gt/detections_3d               the true boxes of what is visible

SOURCE is a video, an image or a folder of images (with --annotations: of COCO), a bag, the folder
of Cityscapes with leftImg8bit/ and gtFine/, or scenes[:SEED], the procedural street."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("out", type=Path, metavar="OUT.mcap")
    parser.add_argument("--frames", type=positive, metavar="N", help="the first N frames only")
    parser.add_argument(
        "--encoding",
        choices=("raw", "jpeg", "png"),
        default="raw",
        help="raw: sensor_msgs/Image, lossless (default); jpeg, png: CompressedImage",
    )
    parser.add_argument(
        "--annotations", type=Path, metavar="JSON", help="COCO annotations of the folder SOURCE"
    )
    parser.add_argument("--split", default="val", help="of Cityscapes (default: val)")
    parser.add_argument(
        "--size",
        type=partial(size, least=32),
        metavar="WxH",
        help="of procedural scenes (default: 640x480)",
    )
    parser.add_argument(
        "--depth", action="store_true", help="procedural scenes with depth and boxes in space"
    )
    parser.add_argument(
        "--coco",
        type=Path,
        metavar="DIR",
        help="also write the frames as PNG with a COCO annotation file, for ssap evaluate",
    )


def run(options: argparse.Namespace) -> int:
    from ssap_ros.common.outputs import claim_file, claim_folder
    from ssap_ros.common.progress import progress
    from ssap_ros.replay.bag_sources import open_bag_source
    from ssap_ros.replay.bags.coco_export import ANNOTATIONS, IMAGES, NUMBERED
    from ssap_ros.replay.make_bag import make_bag
    from ssap_ros.replay.sources import bag_of

    if options.out.suffix != ".mcap":
        raise InputError(f"expected a file OUT.mcap, got {options.out}")
    inputs = [Path(options.source), bag_of(options.source), options.annotations]
    claim_file(options.out, inputs)
    if options.coco:
        claim_folder(options.coco, [ANNOTATIONS], inputs)
        claim_folder(options.coco / IMAGES, [NUMBERED], inputs)
    source = open_bag_source(
        options.source,
        options.frames,
        options.annotations,
        options.split,
        options.size,
        depth=options.depth,
    )
    if options.coco and not source.classes:
        raise InputError(f"{options.source} has no ground truth that --coco could write")
    with progress("make-bag", "frames") as show:
        count = make_bag(
            source,
            options.out,
            options.encoding,
            options.coco,
            lambda done: show(done, source.n_frames),
        )
    truth = " with ground truth" if source.classes else ""
    print(f"{options.out}: {count} frames{truth}", file=sys.stderr)
    return 0
