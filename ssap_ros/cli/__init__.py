"""The `ssap` command, one module per subcommand.

The module of a subcommand has a `HELP` line, the `DETAILS` shown by --help, `add_arguments(parser)`
and `run(options) -> exit code`. What a command needs is imported when it runs, not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, see `ssap_ros.cli.command_line.main`."""
    quiet = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}  # errors are told by us
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    from ssap_ros.cli.command_line import main as run

    return run(arguments)
