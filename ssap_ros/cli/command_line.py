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

"""The `ssap` command: finds the subcommand, runs it and turns errors into exit codes."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NoReturn

from ssap_ros.cli import (
    ablate,
    benchmark,
    build_engine,
    calibrate,
    doctor,
    evaluate,
    export,
    make_bag,
    predict,
    replay,
    train,
)
from ssap_ros.errors import DeviceError, InputError, ModelError, NodeError, one_line

_NODE_FAILED, _BAD_INPUT, _INTERRUPTED = 1, 2, 130
_TERMINATED = 128 + signal.SIGTERM

_COMMANDS = {
    "doctor": doctor,
    "predict": predict,
    "replay": replay,
    "make-bag": make_bag,
    "evaluate": evaluate,
    "ablate": ablate,
    "train": train,
    "export": export,
    "calibrate": calibrate,
    "build-engine": build_engine,
    "benchmark": benchmark,
}

_EXAMPLES = """examples:
  ssap doctor                                   what is installed, and what is missing
  ssap predict photo.jpg clip.mp4 --out out     masks and overlays as files, without ROS
  ssap predict drive/ --format coco --every 10 --out labels
  ssap replay street.mp4 --out out/street       masks on a video, made by the ROS 2 node
  ssap replay drive.mcap --out out/drive --policy every
  ssap replay scenes:7 --out out/scenes         the procedural street, no data needed
  ssap make-bag scenes:7 street.mcap            a bag with ground truth, made without a robot
  ssap replay street.mcap --policy every --gt-instances /camera/gt/instances --out out/street
  ssap evaluate --annotations val.json --images val/ --json out/val.json
  ssap evaluate --format cityscapes --root cityscapes/ --flip --multi-scale --json out/town.json
  ssap ablate --table 5 --format scenes --json out/table5.json
  ssap train --config config/train_street.yaml --resume
  ssap build-engine --input-size 1024x512       the engine of a GPU before the vehicle needs it
  ssap export --checkpoint runs/street/checkpoint.pt --out engines/ssap_street.onnx
  ssap benchmark --node                         how fast this model is on this machine
"""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"ssap: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the name of the program; None means those of this process.

    Returns:
        The exit code: 0 all went well, 1 the node or the GPU failed or a check did not pass, 2 bad
        input (one line on stderr), 130 interrupted.

    Raises:
        SystemExit: The command line is wrong (2), or SIGTERM came (143). Like an interrupt, it
            leaves no unfinished files behind.
        ModuleNotFoundError: The package itself is incomplete.
    """
    options = _parser().parse_args(arguments)
    try:
        with _logging_to_stderr(), _ending_on_sigterm():
            return int(_COMMANDS[options.command].run(options))
    except (InputError, ModelError) as error:
        return _tell(error, _BAD_INPUT)
    except (NodeError, DeviceError) as error:
        return _tell(error, _NODE_FAILED)
    except OSError as error:  # a disk that is full, a file that went away meanwhile
        where = f" ({error.filename})" if error.filename else ""
        return _tell(InputError(f"{error.strerror or error}{where}"), _BAD_INPUT)
    except MemoryError as error:
        return _tell(InputError(f"the memory does not suffice: {error}"), _BAD_INPUT)
    except ModuleNotFoundError as error:  # of the packages that every command needs
        if (error.name or "").startswith("ssap_ros"):
            raise
        hint = "pip install -r environment/requirements.txt"
        return _tell(InputError(f"{error.name} is not installed: {hint}"), _BAD_INPUT)
    except KeyboardInterrupt:
        print("ssap: interrupted", file=sys.stderr)
        return _INTERRUPTED


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"ssap: {record.levelname.lower()}: "
        return f"{level}{record.getMessage()}"


@contextlib.contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """What the library logs meanwhile, in plain lines; a warning says that it is one."""
    log, handler = logging.getLogger("ssap_ros"), logging.StreamHandler()
    handler.setFormatter(_Words())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit meanwhile, so that what is half written is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one does not disturb the removal
    sys.exit(_TERMINATED)


def _tell(error: Exception, code: int) -> int:
    print(f"ssap: error: {one_line(error)}", file=sys.stderr)
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
