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

"""The outlines of instances -> the message that Foxglove draws over an image."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from foxglove_msgs.msg import Color, ImageAnnotations, Point2, PointsAnnotation, TextAnnotation

from ssap_ros.visualization.outlines import FILL_OPACITY, FONT_SIZE, THICKNESS, Outline


def image_annotations(stamp: Time, found: Sequence[Outline]) -> ImageAnnotations:
    """`~/annotations`: a closed line per region, and a text per instance."""
    lines, texts = [], []
    for outline in found:
        red, green, blue = outline.colour
        colour = Color(r=red, g=green, b=blue, a=1.0)
        lines += [
            PointsAnnotation(
                timestamp=stamp,
                type=PointsAnnotation.LINE_LOOP,
                points=[Point2(x=x, y=y) for x, y in polygon.tolist()],
                outline_color=colour,
                fill_color=Color(r=red, g=green, b=blue, a=FILL_OPACITY),
                thickness=THICKNESS,
            )
            for polygon in outline.polygons
        ]
        x, y = outline.position
        texts.append(
            TextAnnotation(
                timestamp=stamp,
                position=Point2(x=x, y=y),
                text=outline.text,
                font_size=FONT_SIZE,
                text_color=Color(r=1.0, g=1.0, b=1.0, a=1.0),
                background_color=Color(r=red / 2, g=green / 2, b=blue / 2, a=0.8),
            )
        )
    return ImageAnnotations(points=lines, texts=texts)
