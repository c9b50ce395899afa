"""The `ssap` command: finds the subcommand, runs it and turns errors into exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from ssap_ros.backends.base import ModelError
from ssap_ros.commands import doctor, evaluate, export, replay, train
from ssap_ros.errors import InputError, NodeError

_NODE_FAILED, _BAD_INPUT, _INTERRUPTED = 1, 2, 130

_COMMANDS = {
    "doctor": doctor,
    "replay": replay,
    "evaluate": evaluate,
    "train": train,
    "export": export,
}

_EXAMPLES = """examples:
  ssap doctor                                   what is installed, and what is missing
  ssap replay street.mp4 --out out/street       masks on a video, made by the ROS 2 node
  ssap replay drive.mcap --out out/drive --policy every
  ssap replay scenes:7 --out out/scenes         the procedural street, no data needed
  ssap evaluate --annotations val.json --images val/ --json out/val.json
  ssap train --config config/train_street.yaml --resume
  ssap export --checkpoint runs/street/checkpoint.pt --out engines/ssap_street.onnx
"""


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"ssap: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 all went well, 1 the node failed or a check did not pass, 2 bad input (told in one line on
    stderr), 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(_COMMANDS[options.command].run(options))
    except (InputError, ModelError) as error:
        return _tell(error, _BAD_INPUT)
    except NodeError as error:
        return _tell(error, _NODE_FAILED)
    except KeyboardInterrupt:
        print("ssap: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _tell(error: Exception, code: int) -> int:
    print(f"ssap: error: {' '.join(str(error).split())}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ssap",
        description=f"Instance masks for ROS 2 cameras: {', '.join(_COMMANDS)}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in _COMMANDS.items():
        child = commands.add_parser(
            name,
            help=command.HELP,
            description=command.DETAILS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(child)
    return parser


if __name__ == "__main__":
    sys.exit(main())
