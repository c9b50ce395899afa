"""ssap doctor"""

from __future__ import annotations

import argparse
import json

from ssap_ros.commands.options import add_model

HELP = "what is installed, and what is missing"
DETAILS = """Looks at ROS 2, the messages, the compiled core, the GPU and the model, and says how
to get what is missing. Exit code 0 if the node can run, else 1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="the findings as JSON")


def run(options: argparse.Namespace) -> int:
    from ssap_ros.doctor import examine, report

    findings = examine(options.model)
    print(
        json.dumps([f.as_dict() for f in findings], indent=2) if options.json else report(findings)
    )
    return 0 if all(finding.ok for finding in findings) else 1
