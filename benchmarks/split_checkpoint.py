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

"""Leaves of a training run what is exported from it: the averaged weights."""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def main(run: Path, out: Path) -> None:
    """Write average.pt (float32) and the snapshots' averages (float16) of `run` to `out`."""
    checkpoint = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    kept = {name: checkpoint[name] for name in ("average", "config", "iteration")}
    torch.save(kept, out / "average.pt")
    for snapshot in sorted(run.glob("average_*.pt")):
        state = torch.load(snapshot, map_location="cpu", weights_only=True)
        state["average"] = {
            name: value.half() if value.is_floating_point() else value
            for name, value in state["average"].items()
        }
        torch.save(state, out / snapshot.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
