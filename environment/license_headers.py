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

"""Puts the copyright and licence above every source file that has none: `make format`."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKS = {".py": "# ", ".pyi": "# ", ".cpp": "// ", ".hpp": "// ", ".cu": "// "}
HEADER = """\
Copyright 2026 ssap_ros maintainers
SPDX-License-Identifier: Apache-2.0

Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
except in compliance with the License. You may obtain a copy of the License at
http://www.apache.org/licenses/LICENSE-2.0
Unless required by applicable law or agreed to in writing, software distributed under the
License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
either express or implied. See the License for the specific language governing permissions
and limitations under the License.
"""


def main() -> None:
    """See above."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if file.suffix not in MARKS:
            continue
        text = file.read_text()
        header = "".join(
            f"{MARKS[file.suffix]}{line}".rstrip() + "\n" for line in HEADER.splitlines()
        )
        shebang, body = text.split("\n", 1) if text.startswith("#!") else ("", text)
        if not body.startswith(header):
            file.write_text((shebang and shebang + "\n") + header + "\n" + body)


if __name__ == "__main__":
    main()
