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
