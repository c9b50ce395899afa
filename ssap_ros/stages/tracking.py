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

"""Stable ids from frame to frame: predicted masks against found ones, optimally assigned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import Instance

_MIN_SIMILARITY = 0.1
_OTHER_CLASS = 0.5  # factor on the similarity of two objects of different classes
_MAX_MISSED_S = 1.0  # a track that is not matched for longer ends
_MAX_GAP_S = 2.0  # without a frame for longer, or backwards in time, all tracks end
_NEW_SPEED = 0.4  # weight of the newest displacement in the velocity
_MAX_CELLS = 1 << 15  # masks are compared on a grid of at most so many samples

_Vector = NDArray[np.float64]


@dataclass
class _Track:
    """An object that was matched.

    Attributes:
        box: (x, y, width, height).
        velocity: Of the box's centre, (x, y) per second; all in pixels.
        cells: Samples of the mask, (row, column) each, when it was last matched.
    """

    identity: int
    class_id: int
    box: _Vector
    cells: NDArray[np.int32]
    seen_s: float
    velocity: _Vector

    def shift(self, now_s: float) -> _Vector:
        """How far the object has gone since it was matched, at constant velocity."""
        return self.velocity * (now_s - self.seen_s)


class Tracker:
    """Follows the objects of one camera.

    An object is expected where constant velocity has taken it. How well a found one fits is the
    mean of the intersection over union (IoU) of the masks and that of the boxes, halved if the
    classes differ; the assignment with the largest sum wins. What fits nothing gets a new id; ids
    are never used twice.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._size = (0, 0)
        self._time_s = 0.0
        self._n_identities = 0

    def update(
        self, labels: NDArray[np.uint16], instances: Sequence[Instance], time_s: float
    ) -> tuple[int, ...]:
        """Follow the objects into the next frame.

        Args:
            labels: uint16 (H, W), k = instances[k - 1].
            instances: Of the frame.
            time_s: When the image was taken, in seconds.

        Returns:
            Their ids, from 1, one each.
        """
        if labels.shape != self._size or not 0 <= time_s - self._time_s <= _MAX_GAP_S:
            self._tracks = []
        self._size, self._time_s = labels.shape, time_s
        stride = max(1, int(np.ceil(np.sqrt(labels.size / _MAX_CELLS))))
        grid = labels[stride // 2 :: stride, stride // 2 :: stride]
        cells = _cells_by_label(grid, len(instances))
        matches = self._match(grid, cells, instances, stride)
        tracks = [
            self._moved(instance, cells[k], matches.get(k)) for k, instance in enumerate(instances)
        ]
        matched = {id(track) for track in matches.values()}
        missed = [
            track
            for track in self._tracks
            if id(track) not in matched and time_s - track.seen_s <= _MAX_MISSED_S
        ]
        self._tracks = tracks + missed
        return tuple(track.identity for track in tracks)

    def _match(
        self,
        grid: NDArray[np.uint16],
        cells: Sequence[NDArray[np.int32]],
        instances: Sequence[Instance],
        stride: int,
    ) -> dict[int, _Track]:
        """The track of every instance that has one, by the instance's index."""
        if not self._tracks or not instances:
            return {}
        # half of the node's start would go into this import, and most nodes do not track
        from scipy.optimize import linear_sum_assignment

        boxes = np.array([instance.bbox for instance in instances], float)
        areas = np.array([len(samples) for samples in cells])
        classes = np.array([instance.class_id for instance in instances])
        similarity = np.zeros((len(self._tracks), len(instances)))
        for row, track in enumerate(self._tracks):
            shift = track.shift(self._time_s)
            moved = track.cells + np.round(shift[::-1] / stride).astype(np.int32)
            overlap = _overlap(moved, grid, len(instances))
            mask_iou = overlap / np.maximum(len(track.cells) + areas - overlap, 1)
            box_iou = _box_iou(track.box + np.array([*shift, 0, 0]), boxes)
            factor = np.where(classes == track.class_id, 1.0, _OTHER_CLASS)
            similarity[row] = factor * (mask_iou + box_iou) / 2
        rows, columns = linear_sum_assignment(
            np.where(similarity >= _MIN_SIMILARITY, similarity, 0), maximize=True
        )
        return {
            int(k): self._tracks[row]
            for row, k in zip(rows, columns, strict=True)
            if similarity[row, k] >= _MIN_SIMILARITY
        }

    def _moved(self, instance: Instance, cells: NDArray[np.int32], track: _Track | None) -> _Track:
        """The track of an instance as it is now: the one given, moved on, or a new one."""
        box, now_s = np.array(instance.bbox, float), self._time_s
        if track is None:
            self._n_identities += 1
            return _Track(self._n_identities, instance.class_id, box, cells, now_s, np.zeros(2))
        velocity = track.velocity
        if now_s > track.seen_s:
            way = box[:2] + box[2:] / 2 - track.box[:2] - track.box[2:] / 2
            velocity = velocity + _NEW_SPEED * (way / (now_s - track.seen_s) - velocity)
        return _Track(track.identity, instance.class_id, box, cells, now_s, velocity)


def _cells_by_label(grid: NDArray[np.uint16], n: int) -> list[NDArray[np.int32]]:
    """Rows and columns (cells, 2) of every label from 1 to n."""
    rows, columns = np.nonzero(grid)
    owner = grid[rows, columns]
    order = np.argsort(owner, kind="stable")
    samples = np.stack([rows, columns], axis=1).astype(np.int32)[order]
    return np.split(samples, np.searchsorted(owner[order], np.arange(2, n + 1)))[:n]


def _overlap(
    cells: NDArray[np.int32], grid: NDArray[np.uint16], n_labels: int
) -> NDArray[np.int64]:
    """How many of the cells lie on each label from 1 to n; those beyond the grid on none."""
    inside = ((cells >= 0) & (cells < grid.shape)).all(axis=1)
    rows, columns = cells[inside].T
    return np.bincount(grid[rows, columns], minlength=n_labels + 1)[1:]


def _box_iou(box: _Vector, boxes: _Vector) -> _Vector:
    """IoU of one box (x, y, width, height) with several (N, 4)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
    intersection = np.prod(np.maximum(high - low, 0), axis=1)
    return np.asarray(
        intersection / (np.prod(box[2:]) + np.prod(boxes[:, 2:], axis=1) - intersection)
    )
