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

"""Copies what a training configuration reads into one folder, its pictures as small as may be.

The pictures become WebP under their old names: OpenCV goes by their content.
"""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import yaml

QUALITY = 84


def main(configuration: Path, data: Path, out: Path) -> None:
    """Copy from `data` to `out`."""
    config = yaml.safe_load(configuration.read_text())
    files = {config[key] for key in ("pretrained", "initial") if key in config}
    files.add(config["teacher"]["boxes"])
    folders = set()
    for source in config["data"]["sources"]:
        files |= {where.rpartition(":")[0] for where in source.get("complete_for", {}).values()}
        files |= {source["annotations"]} if "annotations" in source else set()
        folders |= {source["images"]} if "images" in source else set()
    for name in sorted(files):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, out / name)
    teacher = config["teacher"]["cache"]
    shutil.copytree(data / teacher, out / teacher, dirs_exist_ok=True)
    pictures = [path for folder in sorted(folders) for path in sorted((data / folder).iterdir())]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda path: _shrink(path, out / path.relative_to(data)), pictures))
    print(f"packed: {len(pictures)} pictures and what belongs to them, in {out}")


def _shrink(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    image = cv2.imread(str(source), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        return  # no picture
    _, content = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    target.write_bytes(content.tobytes())


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
