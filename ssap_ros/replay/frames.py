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

"""Frames of a recording, whatever they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssap_ros.types import ImageArray

_MAX_REASONS = 3  # why frames are unreadable, of one source


@dataclass(frozen=True)
class Frame:
    """One picture of one camera.

    Attributes:
        index: Position in the source.
        camera: Position in `cameras` of the source.
        stamp: Of the header, in nanoseconds.
        logged: When it was recorded, in nanoseconds; the pace of real time.
        frame_id: Of the header.
        image: RGB uint8 (H, W, 3) contiguous; None if there is a `msg`, the sensor_msgs/Image as
            the bag has it.
        file: The image file it was read from, if it is one.
    """

    index: int
    camera: int
    stamp: int
    logged: int
    frame_id: str = "camera"
    image: ImageArray | None = None
    msg: Any = None
    file: Path | None = None
    significant_bits: int = 0

    def rgb(self) -> ImageArray:
        """Decode the picture.

        Returns:
            RGB, uint8 (H, W, 3), contiguous.

        Raises:
            ValueError: The picture cannot be read.
        """
        if self.image is not None:
            return self.image
        from ssap_ros.messages import image_to_rgb

        return image_to_rgb(self.msg, self.significant_bits)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        if self.image is not None:
            return self.image.shape[0], self.image.shape[1]
        return int(self.msg.height), int(self.msg.width)


@dataclass
class FrameSource:
    """Frames in order, to be iterated once.

    Attributes:
        name: What is shown to the user.
        fps: Nominal frames per second and camera.
        n_frames: How many are expected, None if unknown.
        cameras: Topics of the bag, or the name of what it is instead.
        other_topics: With images, that were not taken.
        skipped: Frames that could not be decoded so far.
        damage: What is wrong with the source as far as it was read, one line each.
    """

    name: str
    fps: float
    n_frames: int | None
    cameras: tuple[str, ...] = ("camera",)
    other_topics: tuple[str, ...] = ()
    skipped: int = 0
    damage: list[str] = field(default_factory=list)
    _frames: Iterator[Frame] = iter(())

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def describe_topics(self) -> str:
        """Which topics of a bag are taken, and how to take others; empty if it is no bag."""
        if not self.cameras[0].startswith("/"):
            return ""
        text = f"playing {', '.join(self.cameras)}"
        others = ", ".join(f"--topic {topic}" for topic in self.other_topics)
        return f"{text}; instead, or beside it: {others}" if others else text

    def skip(self, reason: str) -> None:
        """Count a frame that could not be decoded, and report the first few."""
        if self.skipped < _MAX_REASONS:
            self.damage.append(reason)
        self.skipped += 1
