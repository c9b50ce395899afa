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

"""The outlines of instances as the message of a bag that Foxglove draws over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssap_ros.replay.bags.messages import ANNOTATIONS, new
from ssap_ros.visualization.outlines import FILL_OPACITY, FONT_SIZE, THICKNESS, Outline

_LINE_LOOP = 2


def image_annotations(head: Any, found: Sequence[Outline]) -> Any:
    """foxglove_msgs/ImageAnnotations, as the node publishes it; head: the header of the image."""
    lines, texts = [], []
    for outline in found:
        red, green, blue = outline.colour
        for polygon in outline.polygons:
            lines.append(
                new(
                    "foxglove_msgs/msg/PointsAnnotation",
                    timestamp=head.stamp,
                    type=_LINE_LOOP,
                    points=[_point(x, y) for x, y in polygon.tolist()],
                    outline_color=_colour(red, green, blue),
                    outline_colors=[],
                    fill_color=_colour(red, green, blue, FILL_OPACITY),
                    thickness=THICKNESS,
                )
            )
        texts.append(
            new(
                "foxglove_msgs/msg/TextAnnotation",
                timestamp=head.stamp,
                position=_point(*outline.position),
                text=outline.text,
                font_size=FONT_SIZE,
                text_color=_colour(1.0, 1.0, 1.0),
                background_color=_colour(red / 2, green / 2, blue / 2, 0.8),
            )
        )
    return new(ANNOTATIONS, circles=[], points=lines, texts=texts)


def _point(x: float, y: float) -> Any:
    return new("foxglove_msgs/msg/Point2", x=x, y=y)


def _colour(red: float, green: float, blue: float, opacity: float = 1.0) -> Any:
    return new("foxglove_msgs/msg/Color", r=red, g=green, b=blue, a=opacity)
