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

"""Two replays of one recording beside each other: what changed, and whether it got worse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssap_ros.errors import InputError
from ssap_ros.replay.bags.messages import stamp_of_raw
from ssap_ros.replay.bags.reader import BagMessage, BagReader
from ssap_ros.replay.play.play import camera_names
from ssap_ros.replay.replay import FRAMES, SUMMARY
from ssap_ros.replay.report.pages import write_page
from ssap_ros.replay.report.sample_frames import SampleFrame, fit, jpeg
from ssap_ros.replay.review.camera_record import topic_prefix
from ssap_ros.replay.review.review import RECORDING
from ssap_ros.replay.summary import SCORES

_MAX_FRAMES = 12
_DIRECTIONS = {  # metric: whether more is better
    **dict.fromkeys(SCORES, True),
    "fps": True,
    "frames_out": True,
    "latency_p50": False,
    "latency_p95": False,
    "latency_p99": False,
    "flicker": False,
}
METRICS = tuple(_DIRECTIONS)


@dataclass(frozen=True)
class Tolerance:
    """How much worse a metric of the second run may be: by `amount`, or by that share of the first.

    Raises:
        InputError: The metric is unknown, or the amount negative.
    """

    metric: str
    amount: float
    relative: bool = False

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise InputError(f"expected a metric of {', '.join(METRICS)}, got {self.metric!r}")
        if not self.amount >= 0:
            raise InputError(f"{self.metric}: expected a tolerance of at least 0")

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """From METRIC=AMOUNT or METRIC=PERCENT%."""
        metric, found, amount = text.partition("=")
        try:
            value = float(amount.removesuffix("%"))
        except ValueError:
            found = ""
        if not found:
            raise InputError(f"expected METRIC=AMOUNT or METRIC=PERCENT%, got {text!r}")
        relative = amount.endswith("%")
        return cls(metric, value / 100 if relative else value, relative)

    def excess(self, before: float, after: float) -> bool:
        """Whether the metric got worse by more than is tolerated."""
        worse = before - after if _DIRECTIONS[self.metric] else after - before
        return worse > self.amount * (abs(before) if self.relative else 1.0)


@dataclass(frozen=True)
class Run:
    """A replay as it lies in its folder."""

    folder: Path
    summary: dict[str, Any]
    frames: list[dict[str, Any]]

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read the folder of a replay.

        Returns:
            The run.

        Raises:
            InputError: There is no finished replay.
        """
        try:
            summary = json.loads((folder / SUMMARY).read_bytes())
            frames = json.loads((folder / FRAMES).read_bytes())
            _ = [summary[key] for key in ("digest", "fps", "latency_ms", "source")]
            keys = ("index", "camera", "stamp", "logged", "instances", "digest")
            _ = [row[key] for row in frames for key in keys]
            run = cls(folder, summary, frames)
            _ = [run.metric(name) for name in METRICS]
        except OSError as error:
            raise InputError(f"no finished replay in {folder}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"no replay in {folder}: {error!r}") from error
        return run

    def metric(self, name: str) -> float | None:
        """A value of METRICS, None if this run has none."""
        if name in SCORES:
            value = self.summary.get("scores", {}).get(name)
        elif name.startswith("latency_"):
            value = self.summary["latency_ms"].get(name.removeprefix("latency_"))
        else:
            value = self.summary.get(name)
        return None if value is None else float(value)


@dataclass(frozen=True)
class MetricChange:
    """A metric in both runs; None where a run has none."""

    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """By how much it grew; None unless both runs have it."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    def as_dict(self) -> dict[str, float | None]:
        """For comparison.json."""
        return {"before": self.before, "after": self.after, "change": self.change}


@dataclass(frozen=True)
class Comparison:
    """What is different between two runs over the same frames.

    Attributes:
        before, after: Folders of the runs.
        frames: Number of frames of either run.
        changed: Indices of frames whose digests differ.
        metrics: By name, those of METRICS that at least one run has.
        failures: Without tolerances a line if any frame changed; with some, one for each metric
            that got worse by more, or has gone.
    """

    before: Path
    after: Path
    frames: int
    changed: list[int]
    metrics: Mapping[str, MetricChange]
    failures: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For comparison.json."""
        return {
            "before": str(self.before),
            "after": str(self.after),
            "frames": self.frames,
            "changed": self.changed,
            "identical": not self.changed,
            "metrics": {name: metric.as_dict() for name, metric in self.metrics.items()},
            "failures": self.failures,
        }

    def describe(self) -> str:
        """The comparison in plain words."""
        lines = [f"{len(self.changed)} of {self.frames} frames changed"]
        for name, metric in self.metrics.items():
            a, b = ("-" if v is None else f"{v:.4g}" for v in (metric.before, metric.after))
            lines.append(f"{name:12} {a:>10} {b:>10}")
        return "\n".join(lines)


def compare(before: Run, after: Run, tolerances: Sequence[Tolerance] = ()) -> Comparison:
    """Compare two runs.

    Returns:
        What is different, and whether it is tolerated.

    Raises:
        InputError: The runs are not over the same frames.
    """
    keys = [[(row["camera"], row["stamp"]) for row in run.frames] for run in (before, after)]
    if keys[0] != keys[1]:
        raise InputError(
            f"the runs are not over the same frames: {before.summary['source']} "
            f"({len(keys[0])} frames) and {after.summary['source']} ({len(keys[1])} frames)"
        )
    changed = [
        a["index"]
        for a, b in zip(before.frames, after.frames, strict=True)
        if a["digest"] != b["digest"]
    ]
    found = {name: MetricChange(before.metric(name), after.metric(name)) for name in METRICS}
    failures = []
    if not tolerances and changed:
        failures.append(f"{len(changed)} of {len(before.frames)} frames changed")
    for tolerance in tolerances:
        a, b = found[tolerance.metric].before, found[tolerance.metric].after
        if a is None or b is None:
            failures.append(f"{tolerance.metric} is not in both runs")
        elif tolerance.excess(a, b):
            failures.append(f"{tolerance.metric} got worse: {a:.4g} to {b:.4g}")
    metrics = {n: m for n, m in found.items() if m.before is not None or m.after is not None}
    return Comparison(before.folder, after.folder, len(keys[0]), changed, metrics, failures)


def write_comparison(path: Path, before: Run, after: Run, result: Comparison) -> None:
    """Write the HTML page of a comparison, with the changed frames of both runs side by side."""
    write_page(
        path,
        "comparison.html",
        title=f"Comparison over {Path(before.summary['source']).name}",
        subtitle=f"{before.folder} against {after.folder}",
        badge="failed" if result.failures else "passed",
        result=result,
        figures={
            "frames": str(result.frames),
            "frames changed": str(len(result.changed)),
            "digest before": before.summary["digest"][:8],
            "digest after": after.summary["digest"][:8],
        },
        more_is_better=_DIRECTIONS,
        frames=_sample_frames(before, after, result.changed),
    )


def _sample_frames(before: Run, after: Run, changed: Sequence[int]) -> list[SampleFrame]:
    """Overlays of changed frames, those first whose number of instances differs most."""
    pairs = zip(before.frames, after.frames, strict=True)
    rows = {row["index"]: (row, other) for row, other in pairs}

    def difference(index: int) -> tuple[float, float]:
        a, b = rows[index]
        return -abs((a["instances"] or 0) - (b["instances"] or 0)), index

    chosen = sorted(changed, key=difference)[:_MAX_FRAMES]
    pictures = [_overlays(run, chosen) for run in (before, after)]
    frames = []
    for index in chosen:
        counts = [row["instances"] for row in rows[index]]
        caption = f"frame {index}: {_count(counts[0])} before, {_count(counts[1])} after"
        there = {
            title: shown[index]
            for title, shown in zip(("before", "after"), pictures, strict=True)
            if index in shown
        }
        frames.append(SampleFrame(index, difference(index), caption, there))
    return frames


def _count(instances: int | None) -> str:
    return "no output" if instances is None else f"{instances} instances"


def _overlays(run: Run, indices: Sequence[int]) -> dict[int, bytes]:
    """JPEG overlays of frames by index, from the recording."""
    names = camera_names(run.summary["cameras"])
    topics = [f"{topic_prefix(name)}overlay/compressed" for name in names]
    wanted = {
        (topics[row["camera"]], row["stamp"], row["logged"]): row["index"]
        for row in run.frames
        if row["index"] in indices
    }
    found: dict[int, bytes] = {}
    with BagReader(run.folder / RECORDING) as reader:
        for message in reader.messages(topics):
            index = wanted.get((message.topic, stamp_of_raw(message.raw), message.logged))
            if index is not None:
                found[index] = _picture(reader, message)
    return found


def _picture(reader: BagReader, message: BagMessage) -> bytes:
    data = reader.decode(message).data
    image = np.asarray(cv2.imdecode(np.asarray(data), cv2.IMREAD_COLOR), np.uint8)
    return jpeg(fit(np.ascontiguousarray(image[..., ::-1])))
