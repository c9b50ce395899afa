"""ssap doctor"""

from __future__ import annotations

import argparse
import json

from ssap_ros.cli.options import add_model, positive, require_ros

HELP = "what is installed, and what is missing"
DETAILS = """Looks at ROS 2, the messages, the compiled core, the GPU, the engine cache, the model
and the transport of large images, and says how to mend what is wrong. With --topic it also listens
to a camera for some seconds: does its quality of service fit, does it come at the expected rate,
can its images be read? Exit code 0 if the node can run, else 1."""


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
    print(json.dumps([f.as_dict() for f in results], indent=2) if options.json else report(results))
    return 0 if all(result.ok for result in results) else 1
