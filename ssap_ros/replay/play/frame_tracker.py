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

"""What became of every frame; nothing lost, nothing doubled."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ssap_ros.common.statistics import PERCENTILES, percentiles
from ssap_ros.replay.summary import PlaybackFigures

if TYPE_CHECKING:
    from ssap_ros.node.client import Part


@dataclass
class Entry:
    """A frame that was sent, and when the parts of its output came.

    Attributes:
        index, camera, stamp, logged: As in Frame.
        sent_s, masks_s, detections_s: In seconds of a monotonic clock; None until it came.
        has_depth: Whether objects in space belong to its output.
    """

    index: int
    camera: int
    stamp: int
    logged: int
    sent_s: float
    masks_s: float | None = None
    detections_s: float | None = None
    has_depth: bool = False
    objects_s: float | None = None

    @property
    def processed(self) -> bool:
        """Masks, detections and, with depth, objects have come."""
        placed = not self.has_depth or self.objects_s is not None
        return self.masks_s is not None and self.detections_s is not None and placed

    @property
    def latency_ms(self) -> float | None:
        """From image to masks; None without an output."""
        if self.masks_s is None or not self.processed:
            return None
        return 1e3 * (self.masks_s - self.sent_s)


@dataclass
class FrameTracker:
    """The frames of one replay. Outputs are matched by camera and stamp, equal stamps by order.

    Attributes:
        entries: In the order of sending.
        frames_out: Frames whose whole output has come.
        unexpected: Outputs that belong to no frame, or came twice.
    """

    entries: list[Entry] = field(default_factory=list)
    frames_out: int = 0
    unexpected: int = 0
    _open: dict[tuple[int, int], deque[Entry]] = field(default_factory=dict)

    @property
    def frames_in(self) -> int:
        """Frames sent."""
        return len(self.entries)

    def send(self, entry: Entry) -> None:
        """Enter a frame that is published."""
        self.entries.append(entry)
        self._open.setdefault((entry.camera, entry.stamp), deque()).append(entry)

    def receive(self, camera: int, stamp: int, part: Part, now_s: float) -> Entry | None:
        """Enter one part of an output; the frame that it belongs to, None if there is none."""
        name = f"{part}_s"
        waiting = self._open.get((camera, stamp), deque())
        entry = next((e for e in waiting if getattr(e, name) is None), None)
        if entry is None:
            self.unexpected += 1
            return None
        setattr(entry, name, now_s)
        if entry.processed:
            self.frames_out += 1
            waiting.remove(entry)
            if not waiting:
                del self._open[camera, stamp]
        return entry

    def figures(self, failed: int, node_values: Mapping[str, str]) -> PlaybackFigures:
        """Sum up the play.

        Args:
            failed: Frames that the node reports as failed.
            node_values: Its diagnostics.

        Returns:
            Counts that balance whatever the node says, speed and latency.
        """
        processed = [entry for entry in self.entries if entry.processed]
        latencies = [entry.latency_ms for entry in processed if entry.latency_ms is not None]
        arrivals = sorted(entry.masks_s for entry in processed if entry.masks_s is not None)
        first_s = min((entry.sent_s for entry in self.entries), default=0.0)
        failed = max(min(failed, self.frames_in - len(processed)), 0)
        stages = {
            key.removesuffix("_ms"): parsed
            for key, value in node_values.items()
            if key.endswith("_ms")
            and key != "pipeline_latency_ms"  # the age of the stamps, which are the recording's
            and (parsed := _parse_percentiles(value))
        }
        seconds = max(arrivals[-1] - first_s, 1e-9) if arrivals else 1.0
        return PlaybackFigures(
            frames_in=self.frames_in,
            frames_out=len(processed),
            frames_dropped=self.frames_in - len(processed) - failed,
            frames_failed=failed,
            answers_unexpected=self.unexpected,
            fps=round(len(processed) / seconds, 2),
            jitter_ms=round(1e3 * float(np.diff(arrivals).std()), 2) if arrivals[1:] else None,
            latency_ms=percentiles(latencies),
            stage_ms=stages,
            backend=node_values.get("backend", ""),
        )


def _parse_percentiles(text: str) -> dict[str, float] | None:
    """The node's "p50/p95/p99" as numbers; None of another value."""
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError:
        return None
    names = [f"p{p}" for p in PERCENTILES]
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else None
