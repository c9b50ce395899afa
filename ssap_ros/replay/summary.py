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

"""What summary.json says: of one replay, and of several merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

SCORES = ("AP", "AP50", "PQ", "SQ", "RQ", "mIoU")
BATCH_SCORES = ("AP", "AP50", "PQ", "mIoU")
_OPTIONAL = (
    *("scores", "curves", "frames_without_truth"),
    *("objects_total", "frames_without_depth", "scores_3d"),
)
Percentiles = Mapping[str, float | None]


@dataclass(frozen=True)
class PlaybackFigures:
    """Counts, speed and latency; frames_in = frames_out + frames_dropped + frames_failed.

    Attributes:
        jitter_ms: Standard deviation of the time between results; None of fewer than two.
        latency_ms: From image to masks.
        stage_ms: In the node, by its own report.
        backend: What ran the network.
    """

    frames_in: int
    frames_out: int
    frames_dropped: int
    frames_failed: int
    answers_unexpected: int
    fps: float
    jitter_ms: float | None
    latency_ms: Percentiles
    stage_ms: Mapping[str, Mapping[str, float]]
    backend: str


@dataclass(frozen=True)
class ReplaySummary(PlaybackFigures):
    """A replay: its figures, what it was made with, and whether it is whole.

    Attributes:
        frames_unreadable: Frames of the source that could not be decoded.
        problems: Why the result is partial; empty if it is whole.
        damage: What is wrong with the source, as far as it was read.
        events: `counts` by kind and the `first` ones of odd time stamps.
        digest: Over camera, stamp, masks and detections of every frame.
        classes: Instances by class name.
        flicker: Mean over the frames; None without any.
        scores, curves, frames_without_truth: None without ground truth.
        objects_total, frames_without_depth: Of the depth node; None without one.
        scores_3d: See CentreDistance; None without ground truth in space.
    """

    source: str
    cameras: list[str]
    frames_unreadable: int
    problems: list[str]
    damage: list[str]
    events: Mapping[str, Any]
    digest: str
    instances_total: int
    classes: Mapping[str, int]
    flicker: float | None
    policy: str
    rate: float
    score_threshold: float
    parameters: Mapping[str, Any]
    model: str
    model_card: Mapping[str, Any]
    environment: Mapping[str, str]
    scores: Mapping[str, Any] | None = None
    curves: Mapping[str, Any] | None = None
    frames_without_truth: int | None = None
    objects_total: int | None = None
    frames_without_depth: int | None = None
    scores_3d: Mapping[str, Any] | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReplaySummary:
        """Read what summary.json holds.

        Returns:
            The summary; keys that it does not know are left out.

        Raises:
            KeyError: Something is missing.
        """
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{name: value for name, value in values.items() if name in known})
        except TypeError as error:
            raise KeyError(str(error)) from error

    def as_dict(self) -> dict[str, Any]:
        """For summary.json; what there is only with ground truth or depth is left out without."""
        values = asdict(self)
        for name in _OPTIONAL:
            if values[name] is None:
                del values[name]
        return values

    def describe(self, out: Path) -> str:
        """What was predicted, how well and how fast, and where the results are, in plain words."""
        mean = {name: count / max(self.frames_out, 1) for name, count in self.classes.items()}
        found = ", ".join(f"{name} {share:.1f}" for name, share in mean.items())
        lost = [
            f"{count} {words}"
            for count, words in (
                (self.frames_dropped, "skipped to keep up"),
                (self.frames_failed, "could not be processed"),
                (self.frames_unreadable, "more could not be read"),
            )
            if count
        ]
        lines = [
            f"{self.frames_out} of {self.frames_in} frames of {self.source} processed"
            + (f" ({', '.join(lost)})" if lost else ""),
            f"instances per frame, on average: {found or 'none'}",
        ]
        scores = self.scores or {}
        known = [f"{name} {scores[name]:.3f}" for name in SCORES if scores.get(name) is not None]
        if known:
            bare = self.frames_without_truth
            others = f" ({bare} have no truth)" if bare else ""
            lines.append(f"scores on {scores['frames']} frames{others}: {', '.join(known)}")
        if self.objects_total is not None:
            lines.append(f"in space: {self.objects_total} objects{self._in_space()}")
        median = self.latency_ms["p50"]
        latency = "" if median is None else f", {median:.0f} ms from image to masks"
        lines.append(f"speed: {self.fps:.1f} frames/s with {self.backend}{latency}")
        for kind, count in self.events["counts"].items():
            lines.append(f"noticed: {kind.replace('_', ' ')} ({count} times)")
        lines += [f"damaged: {line}" for line in self.damage]
        lines.append(f"report, recording and pictures: {out}")
        return "\n".join(lines)

    def _in_space(self) -> str:
        """How well the objects in space fit, and how many frames had none."""
        bare = self.frames_without_depth
        words = f"; {bare} frames have no depth" if bare else ""
        if self.scores_3d is None:
            return words
        recall, error = self.scores_3d["recall"], self.scores_3d["centre_error_m"]["p50"]
        found = [f"{share:.0%} of the truth within {d}" for d, share in recall.items() if share]
        centre = "" if error is None else f", centres {error:.2f} m off (median)"
        return f", {', '.join(found) or 'none near the truth'}{centre}{words}"


@dataclass(frozen=True)
class BagSummary:
    """One bag of a batch.

    Attributes:
        name: Of its folder, unique in the batch.
        error: Why it was not replayed; empty if it was.
        replay: None if it was not replayed.
    """

    name: str
    error: str
    replay: ReplaySummary | None

    def as_dict(self) -> dict[str, Any]:
        """For summary.json: the figures of the bag beside its name, or the error alone."""
        values: dict[str, Any] = {"name": self.name, "error": self.error}
        if self.replay is None:
            return values
        kept = ("source", "frames_in", "frames_out", "fps", "latency_ms", "flicker", "digest")
        scores = self.replay.scores or {}
        return {
            **values,
            **{name: getattr(self.replay, name) for name in kept},
            **{name: scores.get(name) for name in BATCH_SCORES},
            "problems": self.replay.problems,
        }


@dataclass(frozen=True)
class BatchSummary:
    """Several replays merged over all their frames; see ReplaySummary.

    Attributes:
        problems: Of all bags, each with the name of its bag; empty if the result is whole.
        scores, curves: None without ground truth, or with truths of different classes.
    """

    frames_in: int
    frames_out: int
    frames_dropped: int
    frames_failed: int
    frames_unreadable: int
    problems: list[str]
    latency_ms: Percentiles
    instances_total: int
    classes: Mapping[str, int]
    bags: list[BagSummary]
    scores: Mapping[str, Any] | None = None
    curves: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For summary.json; what there is only with ground truth is left out without."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["bags"] = [bag.as_dict() for bag in self.bags]
        return {name: value for name, value in values.items() if value is not None}

    def describe(self, out: Path) -> str:
        """How many bags and frames, how well, and where the report is, in plain words."""
        lines = [
            f"{self.replayed} of {len(self.bags)} bags replayed, {self.frames_out} of "
            f"{self.frames_in} frames processed"
        ]
        if scores := self.scores:
            known = [f"{n} {scores[n]:.3f}" for n in BATCH_SCORES if scores[n] is not None]
            lines.append(f"scores on {scores['frames']} frames: {', '.join(known)}")
        lines.append(f"merged report: {out}")
        return "\n".join(lines)

    @property
    def replayed(self) -> int:
        """Number of bags that were replayed."""
        return sum(bag.replay is not None for bag in self.bags)
