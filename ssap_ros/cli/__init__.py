"""The `ssap` command, one module per subcommand.

The module of a subcommand has a `HELP` line, the `DETAILS` shown by --help, `add_arguments(parser)`
and `run(options) -> exit code`. What a command needs is imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, see `ssap_ros.cli.command_line.main`."""
    from ssap_ros.cli.command_line import main as run

    return run(arguments)
