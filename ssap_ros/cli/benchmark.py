"""ssap benchmark"""

from __future__ import annotations

import argparse

from ssap_ros.benchmark import node, partition

HELP = "measure speed and quality"
DETAILS = """Measures a part of the system and prints a table; `ssap benchmark NAME --help` tells
more. Figures are comparable within one run only: machines and their load differ."""

_BENCHMARKS = {
    "partition": partition,
    "node": node,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    benchmarks = parser.add_subparsers(dest="benchmark", metavar="NAME", required=True)
    for name, benchmark in _BENCHMARKS.items():
        child = benchmarks.add_parser(
            name,
            help=benchmark.HELP,
            description=benchmark.DETAILS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        benchmark.add_arguments(child)


def run(options: argparse.Namespace) -> int:
    return _BENCHMARKS[options.benchmark].run(options)
