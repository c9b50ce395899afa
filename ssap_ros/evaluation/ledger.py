"""What became of the frames of a replay: sent, answered, failed, dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ssap_ros.frame_worker import PERCENTILES
from ssap_ros.types import ImageArray


@dataclass
class Answer:
    """A frame under way and the parts of its answer; times in seconds of a monotonic clock.

    class_ids: one per detection, as text. overlay: RGB uint8 (H, W, 3). settled: in the books.
    """

    index: int
    sent_s: float
    masks_s: float | None = None
    class_ids: Sequence[str] | None = None
    overlay: ImageArray | None = None
    settled: bool = False

    @property
    def counts(self) -> bool:
        """Masks and detections have come."""
        return self.masks_s is not None and self.class_ids is not None

    @property
    def complete(self) -> bool:
        """The overlay has come, too."""
        return self.counts and self.overlay is not None


@dataclass
class Ledger:
    """Books of one replay; frames are known by their stamps in nanoseconds.

    frames_out: frames whose masks and detections have come. n_instances: detections in them.
    """

    answers: dict[int, Answer] = field(default_factory=dict)
    frames_out: int = 0
    n_instances: int = 0

    @property
    def frames_in(self) -> int:
        """Frames sent."""
        return len(self.answers)

    def send(self, stamp: int, now_s: float) -> None:
        """Enter a frame that is published."""
        self.answers[stamp] = Answer(len(self.answers), now_s)

    def settle(self, answer: Answer) -> None:
        """Enter an answer, if masks and detections have come, once."""
        if answer.counts and not answer.settled:
            answer.settled = True
            self.frames_out += 1
            self.n_instances += len(answer.class_ids or ())

    def summary(
        self, failed: int, names: Mapping[str, str], node_values: Mapping[str, str]
    ) -> dict[str, Any]:
        """The figures of summary.json.

        failed: frames that the node reports as failed; node_values: its diagnostics.
        frames_in = frames_out + frames_dropped + frames_failed, whatever the node says.
        """
        answered = [answer for answer in self.answers.values() if answer.counts]
        latencies = [1e3 * (a.masks_s - a.sent_s) for a in answered if a.masks_s is not None]
        first_s = min((a.sent_s for a in self.answers.values()), default=0.0)
        last_s = max((a.masks_s for a in answered if a.masks_s is not None), default=first_s)
        classes = Counter(names.get(k, k) for a in answered for k in a.class_ids or ())
        failed = max(min(failed, self.frames_in - len(answered)), 0)
        stages = {
            key.removesuffix("_ms"): _parse_percentiles(value)
            for key, value in node_values.items()
            if key.endswith("_ms")
        }
        return {
            "frames_in": self.frames_in,
            "frames_out": len(answered),
            "frames_dropped": self.frames_in - len(answered) - failed,
            "frames_failed": failed,
            "fps": round(len(answered) / max(last_s - first_s, 1e-9), 2),
            "latency_ms": _percentiles(latencies),
            "stage_ms": stages,
            "instances_total": classes.total(),
            "classes": dict(classes.most_common()),
            "backend": node_values.get("backend", ""),
        }


def describe(summary: dict[str, Any], out: Path) -> str:
    """What was seen, how fast, and where the pictures are, in plain words."""
    answered, total = summary["frames_out"], summary["frames_in"]
    mean = {name: count / max(answered, 1) for name, count in summary["classes"].items()}
    seen = ", ".join(f"{name} {share:.1f}" for name, share in mean.items())
    lost = [
        f"{summary[key]} {words}"
        for key, words in (
            ("frames_dropped", "skipped to keep up"),
            ("frames_failed", "could not be processed"),
        )
        if summary[key]
    ]
    lines = [
        f"{answered} of {total} frames of {summary['source']} answered"
        + (f" ({', '.join(lost)})" if lost else ""),
        f"seen per frame, on average: {seen or 'nothing'}",
        f"speed: {summary['fps']:.1f} frames/s with {summary['backend']}"
        + (f", {summary['latency_ms']['p50']:.0f} ms from image to masks" if answered else ""),
        f"pictures and video: {out}",
    ]
    return "\n".join(lines)


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {f"p{p}": None for p in PERCENTILES}
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in PERCENTILES}


def _parse_percentiles(text: str) -> dict[str, float]:
    """The node's "p50/p95/p99" as numbers."""
    return {f"p{p}": float(part) for p, part in zip(PERCENTILES, text.split("/"), strict=True)}
