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

"""ssap benchmark"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ssap_ros.cli.options import add_model, positive, require_ros
from ssap_ros.errors import InputError

if TYPE_CHECKING:
    from ssap_ros.config import SsapConfig
    from ssap_ros.evaluation.speed import Speed
    from ssap_ros.types import ImageArray

HELP = "how fast this model is on this machine"
DETAILS = """Runs the pipeline on images, with each backend that works here, and prints the time of
every stage, frames per second and memory. SOURCE is what `ssap replay` takes: an image, a folder,
a video, a bag, or scenes[:SEED], the procedural street (default). With --node the images go through
the ROS 2 node over DDS, as fast as it takes them; the latency then has the waiting in it.
Figures depend on the machine and on what else runs on it: compare those of one machine."""

_MOVED = {
    "partition": "`ssap benchmark partition` is now benchmarks/partition.py of the source checkout",
    "node": "`ssap benchmark node` is now benchmarks/node_overhead.py of the source checkout; "
    "`ssap benchmark --node` measures the whole node",
}
_IMAGES = 8  # different ones, at most


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="?", default="scenes:0", metavar="SOURCE")
    add_model(parser)
    parser.add_argument(
        "--backend",
        action="append",
        metavar="NAME",
        help="only this one; may be repeated (default: all that work here)",
    )
    parser.add_argument(
        "--frames", type=positive, default=50, metavar="N", help="to measure (default: 50)"
    )
    parser.add_argument(
        "--long-side",
        type=positive,
        metavar="N",
        help="longer side of the network input (default: the model's own)",
    )
    parser.add_argument("--node", action="store_true", help="through the ROS 2 node")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all figures")


def run(options: argparse.Namespace) -> int:
    from ssap_ros.backends import model_path
    from ssap_ros.common.outputs import claim_file, write_json
    from ssap_ros.config import SsapConfig
    from ssap_ros.evaluation.speed import BACKENDS, measure_pipeline, why_not
    from ssap_ros.replay.review.environment import describe_environment
    from ssap_ros.replay.sources import open_source

    if options.source in _MOVED and not Path(options.source).exists():
        raise InputError(_MOVED[options.source])
    if unknown := set(options.backend or ()) - set(BACKENDS):
        raise InputError(f"unknown backend {min(unknown)!r}; known: {', '.join(BACKENDS)}")
    if options.node:
        require_ros()
    if options.json:
        claim_file(options.json)
    images = [frame.rgb() for frame in open_source(options.source, _IMAGES)]
    results: list[Speed] = []
    skipped = {}
    for name in options.backend or BACKENDS:
        config = SsapConfig(
            model_file_path=options.model, backend=name, input_long_side=options.long_side or 0
        )
        if reason := why_not(config):
            skipped[name] = reason
            continue
        measure = _measure_node if options.node else measure_pipeline
        results.append(measure(images, config, options.frames))
    height, width = images[0].shape[:2]
    print(table(results, skipped, f"{options.source}, {width}x{height}"))
    if options.json:
        document = {
            "source": options.source,
            "size": f"{width}x{height}",
            "through_node": options.node,
            "model": str(model_path(SsapConfig(model_file_path=options.model))),
            "results": [dataclasses.asdict(result) for result in results],
            "not_here": skipped,
            "environment": describe_environment(),
        }
        write_json(options.json, document)
    return 0 if results else 1


def table(results: Sequence[Speed], not_here: dict[str, str], source: str) -> str:
    """The figures as text: per backend a line, and one below it per stage."""
    lines = []
    for result in results:
        lines.append(
            f"{result.backend}: {result.frames_per_s:.1f} frames/s, {result.memory_mb:.0f} MB "
            f"({result.frames} frames of {source})"
        )
        lines.append(f"  {'milliseconds':16}{'p50':>9}{'p95':>9}")
        for stage, values in result.stage_ms.items():
            cells = (_cell(values[p]) for p in ("p50", "p95"))
            lines.append(f"  {stage:16}{''.join(cells)}")
    lines += [f"{name}: not on this machine, {reason}" for name, reason in not_here.items()]
    return "\n".join(lines)


def _cell(milliseconds: float | None) -> str:
    return f"{'-':>9}" if milliseconds is None else f"{milliseconds:9.1f}"


def _measure_node(images: Sequence[ImageArray], config: SsapConfig, frames: int) -> Speed:
    """The node as a process of its own, fed as fast as it takes the images."""
    from ssap_ros.evaluation.speed import Speed
    from ssap_ros.replay.frames import Frame, FrameSource
    from ssap_ros.replay.play.play import PlayOptions, play

    def frame(index: int) -> Frame:
        stamp = round(index * 1e9 / 30)
        return Frame(index, 0, stamp, stamp, image=images[index % len(images)])

    source = FrameSource("benchmark", 30.0, frames, _frames=iter(map(frame, range(frames))))
    parameters: dict[str, Any] = {
        "backend": config.backend,
        "input_long_side": config.input_long_side,
    }
    options = PlayOptions("every", model=config.model_file_path, parameters=parameters)
    with TemporaryDirectory() as folder:
        playback = play(source, options, Path(folder), all_scores=False)
    figures = playback.tracker.figures(playback.failed, playback.node_values)
    stages: dict[str, dict[str, float | None]] = {k: dict(v) for k, v in figures.stage_ms.items()}
    return Speed(
        f"node with {figures.backend}",
        figures.frames_out,
        figures.fps,
        float(playback.node_values.get("memory_mb", "nan")),
        {**stages, "image to masks": dict(figures.latency_ms)},
    )
