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

"""The `ssap` command, one module per subcommand.

The module of a subcommand has a `HELP` line, the `DETAILS` shown by --help, `add_arguments(parser)`
and `run(options) -> exit code`. What a command needs is imported when it runs, not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, see `ssap_ros.cli.command_line.main`."""
    quiet = {
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENCV_FFMPEG_LOGLEVEL": "-8",
    }  # we report errors
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    from ssap_ros.cli.command_line import main as run

    return run(arguments)
