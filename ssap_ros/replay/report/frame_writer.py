"""Keeps the overlays of a replay: a video of all, and pictures of some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ssap_ros.data.image_files import write_image
from ssap_ros.errors import InputError
from ssap_ros.types import ImageArray

_MAX_PICTURES = 8


@dataclass(frozen=True)
class _Picture:
    index: int
    n_instances: int
    image: ImageArray


class FrameWriter:
    """Writes overlay.mp4 as overlays come, and on `close` 3 to 8 frame_*.png spread over the clip.

    The video runs at `fps` of the source; an overlay stands until the next one, so that its length
    is the source's. Each picture is, of its part of the clip, the frame with most instances.
    """

    def __init__(self, out: Path, fps: float) -> None:
        self._out, self._fps = out, fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)  # width, height
        self._next = 0
        self._last: ImageArray | None = None
        self._stride = 1
        self._parts: dict[int, _Picture] = {}

    def add(self, index: int, overlay: ImageArray, n_instances: int) -> None:
        """Add the overlay, RGB uint8 (H, W, 3), of frame `index`; indices ascend."""
        self._keep(_Picture(index, n_instances, overlay))
        if self._writer is None:
            self._open(overlay)
        frame = self._fit(overlay)
        previous = frame if self._last is None else self._last
        for _ in range(self._next, index):
            self._write(previous)
        self._write(frame)
        self._last, self._next = frame, index + 1

    def close(self) -> None:
        """Finish the video and write the pictures."""
        if self._writer is not None:
            self._writer.release()
        for picture in self._parts.values():
            write_image(self._out / f"frame_{picture.index:05d}.png", picture.image)

    def _keep(self, picture: _Picture) -> None:
        parts = [*self._parts.values(), picture]
        while len({p.index // self._stride for p in parts}) > _MAX_PICTURES:
            self._stride *= 2
        self._parts = {}
        for candidate in parts:
            part = candidate.index // self._stride
            best = self._parts.get(part)
            if best is None or candidate.n_instances > best.n_instances:
                self._parts[part] = candidate

    def _open(self, overlay: ImageArray) -> None:
        height, width = overlay.shape[:2]
        self._size = (width + width % 2, height + height % 2)  # the codec wants even sides
        path = self._out / "overlay.mp4"
        self._out.mkdir(exist_ok=True)
        self._writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size
        )
        if not self._writer.isOpened():
            raise InputError(f"cannot write the video {path}")

    def _fit(self, overlay: ImageArray) -> ImageArray:
        """Scale into the video's size if need be, and fill up with black."""
        width, height = self._size
        scale = min(width / overlay.shape[1], height / overlay.shape[0], 1.0)
        if scale < 1.0:
            size = tuple(max(round(side * scale), 1) for side in overlay.shape[1::-1])
            overlay = np.asarray(cv2.resize(overlay, size, interpolation=cv2.INTER_AREA), np.uint8)
        frame = np.zeros((height, width, 3), np.uint8)
        frame[: overlay.shape[0], : overlay.shape[1]] = overlay[..., ::-1]
        return frame

    def _write(self, frame: ImageArray) -> None:
        assert self._writer is not None
        self._writer.write(frame)
