"""ssap benchmark partition"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "the graph partition: time, objective and quality, beside other solvers"
DETAILS = """Partitions procedural scenes with noisy affinities, at several sizes and shares of
foreground, and prints the medians over several seeds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all figures")


def run(options: argparse.Namespace) -> int:
    raise NotImplementedError
