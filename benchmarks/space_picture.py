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

"""The picture of the README: masks, boxes in space, and what a mapper is left with.

    python benchmarks/space_picture.py docs/space.png
    python benchmarks/space_picture.py docs/street.png --seed 5011 --masks-only

A procedural street goes through the shipped model; the depth is the street's own. Nothing is drawn
by hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.backends.resources import default_model_path
from ssap_ros.common.outputs import write_output
from ssap_ros.data.scenes.depth import intrinsics, scene_depth
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.stages.depth import CameraRays, Object3D, locate, surface_rows, without_classes
from ssap_ros.visualization.overlay import OverlayRenderer, identity_colour

SIZE = (480, 640)
PERSON = 1
_EDGES = [(i, i ^ bit) for i in range(8) for bit in (1, 2, 4) if i < i ^ bit]
_FAR_M, _HALF_WIDTH_M = 24.0, 9.0
Image = NDArray[np.uint8]


def main() -> None:
    """Segment, place, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--masks-only", action="store_true")
    options = parser.parse_args()
    scene = street_scene(options.seed, SIZE)
    pipeline = SsapPipeline.from_model(str(default_model_path()))
    result = pipeline(scene.image)
    ids = range(1, len(result.instances) + 1)
    overlay = OverlayRenderer(pipeline.info.classes).draw(scene.image, result, ids)

    k, metres = intrinsics(scene.camera), scene_depth(scene)
    rays = CameraRays(k, SIZE)
    boxes = [instance.bbox for instance in result.instances]
    objects = locate(result.labels, boxes, metres, rays)
    table = np.zeros(len(boxes) + 1, [(axis, np.float32) for axis in "xyz"] + [("label", int)])
    table["label"] = np.arange(len(table))
    points = surface_rows(result.labels, metres, rays, table)
    class_ids = [instance.class_id for instance in result.instances]
    static = without_classes(metres, result.labels, class_ids, {PERSON}, 5)
    panels = [
        ("masks", overlay),
        ("boxes in space, ~/detections_3d", draw_boxes(scene.image, objects, k)),
        ("from above, ~/points", from_above(points, objects)),
        ("depth for a mapper, people left out, ~/depth/static", coloured(static)),
    ]
    drawn = [titled(*panel) for panel in panels]
    picture = np.vstack([np.hstack(drawn[:2]), np.hstack(drawn[2:])])
    picture = overlay if options.masks_only else picture
    png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    write_output(options.out, png.tobytes())


def corners(item: Object3D) -> NDArray[np.float64]:
    """Of the box, (8, 3)."""
    signs = np.array(list(np.ndindex(2, 2, 2))) - 0.5
    return np.asarray(item.centre + (signs * np.maximum(item.size, 0.05)) @ item.axes.T)


def draw_boxes(image: Image, objects: list[Object3D], k: tuple[float, ...]) -> Image:
    """The edges of the boxes, projected into the picture, with the distance."""
    canvas = (0.75 * image).astype(np.uint8)
    for item in objects:
        x, y, z = corners(item).T
        z = np.maximum(z, 0.1)
        pixels = np.stack([k[0] * x / z + k[2], k[4] * y / z + k[5]], axis=1).round().astype(int)
        colour = identity_colour(item.label)
        for start, end in _EDGES:
            cv2.line(canvas, pixels[start].tolist(), pixels[end].tolist(), colour, 2, cv2.LINE_AA)
        origin = (int(pixels[:, 0].min()), int(pixels[:, 1].min()) - 4)
        write(canvas, f"{item.depth:.1f} m", origin, colour)
    return canvas


def from_above(points: NDArray[np.void], objects: list[Object3D]) -> Image:
    """The points and the boxes, the camera at the bottom."""
    height, width = SIZE
    scale = min(height / _FAR_M, width / 2 / _HALF_WIDTH_M)
    canvas = np.full((height, width, 3), 24, np.uint8)

    def pixel(x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.stack([width / 2 + scale * x, height - 8 - scale * z], axis=-1).astype(np.int64)

    for metres in range(5, int(_FAR_M), 5):
        cv2.circle(canvas, (width // 2, height - 8), round(scale * metres), (60, 60, 66), 1)
        write(canvas, f"{metres} m", (width // 2 + 4, round(height - 12 - scale * metres)))
    at = pixel(points["x"].astype(float), points["z"].astype(float))
    inside = ((at >= 0) & (at < (width, height))).all(axis=1)
    labels = points["label"][inside]
    colours = np.array([(0, 0, 0), *map(identity_colour, range(1, 1 + labels.max(initial=0)))])
    canvas[at[inside, 1], at[inside, 0]] = colours[labels]
    for item in objects:
        ground = corners(item)[[0, 2, 6, 4]]  # a rectangle: length and width
        outline = pixel(ground[:, 0], ground[:, 2]).astype(np.int32)
        cv2.polylines(canvas, [outline], True, identity_colour(item.label), 2, cv2.LINE_AA)
    return canvas


def coloured(metres: NDArray[np.float32]) -> Image:
    """Near is bright; black has no depth."""
    near = np.clip(255 * (1 - metres / _FAR_M), 20, 255).astype(np.uint8)
    picture = cv2.cvtColor(cv2.applyColorMap(near, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    picture[metres == 0] = 0
    return np.asarray(picture, np.uint8)


def titled(title: str, picture: Image) -> Image:
    """The picture with a bar above it."""
    bar = np.full((26, picture.shape[1], 3), 255, np.uint8)
    write(bar, title, (8, 18), (20, 20, 24))
    return np.pad(np.vstack([bar, picture]), ((2, 2), (2, 2), (0, 0)), constant_values=255)


def write(
    canvas: Image, text: str, origin: tuple[int, int], colour: tuple[int, ...] = (170, 170, 176)
) -> None:
    """Small letters."""
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


if __name__ == "__main__":
    main()
