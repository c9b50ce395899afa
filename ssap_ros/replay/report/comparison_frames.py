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

"""Pictures of single frames for the report: truth and prediction in colours that agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssap_ros.data.segments import OTHER_CLASS, Segments, bounding_box
from ssap_ros.replay.bags.ground_truth import Truth
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.report.sample_frames import LONG_SIDE, fit
from ssap_ros.types import FrameResult, ImageArray, Instance
from ssap_ros.visualization.overlay import OverlayRenderer


def frame_result(shown: Segments, detections: Sequence[Detection], factor: int = 1) -> FrameResult:
    """Instances with their detections as the renderer wants them, `factor` times as large."""
    labels = shown.ids.astype(np.uint16).repeat(factor, axis=0).repeat(factor, axis=1)
    areas = np.bincount(labels.ravel(), minlength=len(detections) + 1)
    instances = []
    for entry, area in zip(detections, areas[1:].tolist(), strict=True):
        x, y, width, height = (round(factor * side) for side in entry.bbox)
        instances.append(Instance(int(entry.class_id), entry.score, (x, y, width, height), area))
    return FrameResult(labels, tuple(instances), {})


@dataclass(frozen=True)
class Comparison:
    """Truth and prediction of one frame.

    Attributes:
        shown, detections: The instances that are shown.
        names: Class name by class id.
    """

    image: ImageArray
    truth: Truth
    shown: Segments
    detections: Sequence[Detection]
    names: Mapping[int, str]

    def draw(self) -> dict[str, ImageArray]:
        """Image, truth and prediction, RGB; small images enlarged, what is not annotated dark."""
        names = [self.names.get(k, "") for k in range(OTHER_CLASS + 1)]
        renderer, truth = OverlayRenderer(names), self.truth.segments
        entries = [
            Detection(str(k), 1.0, bounding_box(truth.ids == number))
            for number, k in enumerate(truth.class_ids.tolist(), start=1)
        ]
        factor = max(LONG_SIDE // max(self.image.shape[:2]), 1)
        image = self.image.repeat(factor, axis=0).repeat(factor, axis=1)
        true = renderer.draw(image, frame_result(truth, entries, factor))
        true[self.truth.void.repeat(factor, axis=0).repeat(factor, axis=1)] //= 3
        predicted = renderer.draw(image, frame_result(self.shown, self.detections, factor))
        return fitted({"image": image, "truth": true, "prediction": predicted})


def caption(row: Mapping[str, Any]) -> str:
    """How good the output for a frame is, from its row of frames.json."""
    return (
        f"frame {row['index']}: quality {row['quality']:.2f}, {row['tp']:.0f} found, "
        f"{row['fn']:.0f} missed, {row['fp']:.0f} too many"
    )


def fitted(pictures: Mapping[str, ImageArray]) -> dict[str, ImageArray]:
    """The pictures, scaled down to what a report shows."""
    return {title: fit(picture) for title, picture in pictures.items()}
