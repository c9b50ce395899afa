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

"""Random pictures for the metrics: a truth as Cityscapes stores it, and predictions for it."""

from __future__ import annotations

import cv2
import numpy as np

from ssap_ros.data.segments import OTHER_CLASS, Segments

HEIGHT, WIDTH = 96, 160


STUFF = {7: "road", 11: "building", 23: "sky"}


THINGS = {24: "person", 26: "car", 33: "bicycle"}


CARAVAN, UNLABELLED = 29, 0


def blob(rng: np.random.Generator) -> np.ndarray:
    """A random filled ellipse, from a few pixels to a third of the picture."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    centre = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)))
    axes = tuple(int(a) for a in np.exp(rng.uniform(0, 3.6, 2)))
    cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return mask > 0


def shifted(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mask a little elsewhere: from a near hit to a miss."""
    return np.roll(mask, rng.integers(-4, 5, 2), (0, 1))


class Picture:
    """One random truth as Cityscapes stores it, and predictions for it.

    raw: int32 (H, W), label id, or 1000 * label id + number for an instance.
    predictions: (label id, score, mask) that may overlap and repeat each other.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.raw = np.full((HEIGHT, WIDTH), 7, np.int32)
        self.raw[: HEIGHT // 3] = 23
        self.raw[HEIGHT // 3 : HEIGHT // 2, : WIDTH // 2] = 11
        self.raw[blob(rng)] = UNLABELLED
        self.predictions: list[tuple[int, float, np.ndarray]] = []
        empty = seed % 5 == 0  # no objects at all
        for number in range(0 if empty else int(rng.integers(3, 9))):
            label = int(rng.choice([*THINGS, CARAVAN]))
            mask = blob(rng)
            group = rng.random() < 0.2
            self.raw[mask] = label if group else 1000 * label + number
            for _ in range(int(rng.choice([0, 1, 1, 1, 2, 3]))):  # missed, found, duplicates
                guess = label if rng.random() < 0.85 else int(rng.choice(list(THINGS)))
                score = round(float(rng.random()), 1)  # coarse, for ties
                self.predictions.append((guess, score, shifted(mask, rng)))
        for _ in range(0 if seed % 7 == 0 else 2):
            score = float(rng.random())
            self.predictions.append((int(rng.choice(list(THINGS))), score, blob(rng)))
        self.predictions = [p for p in self.predictions if p[2].any() and p[0] in THINGS]
        values = np.unique(self.raw)
        self.values = values[~np.isin(values, [UNLABELLED, CARAVAN])]  # CARAVAN: a group, void

    def truth(self, distances: dict[int, float] | None = None) -> Segments:
        ids = np.zeros(self.raw.shape, np.int32)
        for k, value in enumerate(self.values, start=1):
            ids[self.raw == value] = k
        labels = [int(v) if v < 1000 else int(v) // 1000 for v in self.values]
        return Segments(
            ids,
            np.array([OTHER_CLASS if label == CARAVAN else label for label in labels]),
            crowd=np.array([v < 1000 and v not in STUFF for v in self.values]),
            distances=np.array([(distances or {}).get(int(v), np.nan) for v in self.values]),
        )

    def masks(self) -> Segments:
        return Segments(
            np.array([mask for _, _, mask in self.predictions]).reshape(-1, HEIGHT, WIDTH) > 0,
            np.array([label for label, _, _ in self.predictions]),
            np.array([score for _, score, _ in self.predictions]),
        )

    def panoptic(self) -> Segments:
        """The predictions painted over a background with errors of its own; some is left void."""
        rng = np.random.default_rng(int(self.raw.sum()))
        ids, class_ids = np.zeros(self.raw.shape, np.int32), []
        for label in STUFF:
            ids[np.roll(self.raw == label, 5, 1)] = len(class_ids) + 1
            class_ids.append(label)
        ids[blob(rng)] = 0
        for label, _, mask in self.predictions:
            ids[mask] = len(class_ids) + 1
            class_ids.append(label)
        present = np.unique(ids[ids > 0])
        ids = np.searchsorted(np.concatenate([[0], present]), ids).astype(np.int32)
        return Segments(ids, np.array(class_ids)[present - 1])


PICTURES = [Picture(seed) for seed in range(40)]
