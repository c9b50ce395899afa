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

"""The graph partition beside other solvers: time, objective and quality.

    .venv/bin/python benchmarks/partition.py --against bioimage-cpp,mwatershed --json out/new.json

Partitions procedural scenes with noisy affinities, at several sizes and shares of foreground: the
cascade from each start level (the paper's Figure 5 and Table 4), our flat solver, and other solvers
if asked for. All on one thread, one after the other on the same input. Times are CPU milliseconds,
medians over seeds and repeats: compare them within one run.

  cascade    from float16 affinity logits to labels
  flat       greedy additive edge contraction on an edge list, graph building included
  peers      solving alone, their graph is built before
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from partition_peers import PEERS
from partition_runs import describe, header, measure, summary

from ssap_ros.cli.options import positive, require
from ssap_ros.common.outputs import claim_file, write_json
from ssap_ros.errors import InputError

_SIZES = ("256x128", "512x256", "1024x512")
_FOREGROUND = (10, 25, 50)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    try:
        return run(options)
    except InputError as error:
        print(f"partition: error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all figures")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="file for a picture of them")
    parser.add_argument(
        "--against",
        default="",
        metavar="NAMES",
        help="other solvers, separated by commas: bioimage-cpp, mwatershed",
    )
    parser.add_argument(
        "--sizes", nargs="+", default=_SIZES, metavar="WxH", help="default: %(default)s"
    )
    parser.add_argument(
        "--foreground",
        nargs="+",
        type=positive,
        default=_FOREGROUND,
        metavar="PERCENT",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--noise", choices=("easy", "hard"), default="easy", help="of the affinities"
    )
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="scenes per row")
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help="runs per scene")
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, print the table and write the files."""
    peers = [name for name in options.against.split(",") if name]
    if unknown := [name for name in peers if name not in PEERS]:
        raise InputError(f"unknown solver {unknown[0]!r}; known: {', '.join(PEERS)}")
    for path in filter(None, (options.json, options.plot)):
        claim_file(path)
    if options.plot:
        require("matplotlib", "matplotlib is not installed: pip install matplotlib")
    sizes = [_size(text) for text in options.sizes]
    rows: list[dict[str, Any]] = []
    print(header(peers))
    for size in sizes:
        for percent in options.foreground:
            print(f"{size[1]}x{size[0]} at {percent} % ...", end="\r", file=sys.stderr)
            row = measure(
                size, percent, options.noise, range(options.seeds), options.repeats, peers
            )
            rows.append(row)
            print(describe(row, peers))
    result = summary(rows, options.noise, options.seeds, options.repeats)
    if options.json:
        write_json(options.json, result)
    if options.plot:
        from partition_plot import draw

        draw(result, options.plot)
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (height.isdigit() and width.isdigit() and min(int(height), int(width)) >= 16):
        raise InputError(f"expected a size WxH like 512x256, at least 16x16, got {text!r}")
    return int(height), int(width)


if __name__ == "__main__":
    sys.exit(main())
