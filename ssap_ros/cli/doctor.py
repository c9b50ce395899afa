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

"""ssap doctor"""

from __future__ import annotations

import argparse
import json
import shutil

from ssap_ros.cli.options import add_model, positive, require_ros

HELP = "what is installed, and what is missing"
DETAILS = """Looks at ROS 2, the messages, the compiled core, the GPU, the engine cache, the model
and the transport of large images, and says how to fix what is wrong. With --topic it also listens
to a camera for some seconds: does its quality of service fit, does it come at the expected rate,
can its images be read? The last lines say what to type next. Exit code 0 if the node can run,
else 1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--topic", metavar="TOPIC", help="also look at the images on this topic")
    parser.add_argument(
        "--rate", type=positive, metavar="HZ", help="images per second that the camera should give"
    )
    parser.add_argument(
        "--seconds", type=positive, default=3, metavar="S", help="how long to listen (default: 3)"
    )
    parser.add_argument("--json", action="store_true", help="the results as JSON")


def run(options: argparse.Namespace) -> int:
    from ssap_ros.cli.checks import examine
    from ssap_ros.node.check_result import report

    results = examine(options.model)
    if options.topic:
        require_ros()
        from ssap_ros.node.topic_check import check_topic

        results += check_topic(options.topic, options.rate or 0.0, options.seconds)
    ok = all(result.ok for result in results)
    if options.json:
        print(json.dumps([result.as_dict() for result in results], indent=2))
    else:
        print(f"{report(results)}\n\n{next_steps(ok, options.topic)}")
    return 0 if ok else 1


def next_steps(ok: bool, topic: str | None) -> str:
    """Say what to type next.

    Args:
        ok: Whether the node can run.
        topic: The camera's, if it is known.

    Returns:
        Commands that run on this machine, one a line.
    """
    if not ok:
        return "next: fix what is marked with !! and run ssap doctor again"
    image = topic or "TOPIC"
    if shutil.which("ros2"):
        launch = "ros2 launch ssap_ros"
        node = f"{launch} ssap.launch.py image_topic:={image} use_rviz:=true"
        depth = f"{launch} depth.launch.py image_topic:={image} depth_topic:=DEPTH"
    else:
        node = f"ssap_node --ros-args -r image:={image}"
        depth = "ssap_depth_node --ros-args -r depth:=DEPTH -r camera_info:=INFO"
    steps = [
        ("ssap predict PICTURE_OR_VIDEO --out out/look", "masks as files, without ROS"),
        (node, "masks of a camera"),
        (depth, "and with a depth camera boxes in space"),
        ("ssap replay BAG --policy every --out out/drive", "a recording, with a report"),
    ]
    if topic is None:
        steps.insert(1, ("ssap doctor --topic TOPIC", "does the camera fit?"))
    width = max(len(command) for command, _ in steps)
    return "\n".join(["next:", *(f"  {command:{width}}  {words}" for command, words in steps)])
