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

"""Random views of a sample: crop and scale, flip, colour, and pasted cut-outs of other objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.training.samples import VOID, Sample
from ssap_ros.types import ImageArray, LabelArray

PAD_COLOUR = (127, 127, 127)

_MIN_AREA = 600  # square pixels of an object that gets a neighbour, or becomes one
_NEAR = 3  # pixels
_OWN_SHARE = 0.6  # of what is pasted beside an object: cut out of the same picture
_OTHER_LIGHT = 0.3  # of what is pasted beside an object: with colours of its own


@dataclass(frozen=True)
class Cutout:
    """One object on its own: image uint8 (h, w, 3) RGB, mask uint8 (h, w) 0 or 255, class id."""

    image: ImageArray
    mask: ImageArray
    class_id: int


def cut_out(image: ImageArray, mask: ImageArray, class_id: int) -> Cutout:
    """The object on `mask`, uint8 (H, W) 0 or 255 and somewhere not 0, out of a picture."""
    x, y, width, height = cv2.boundingRect(mask)
    box = np.s_[y : y + height, x : x + width]
    return Cutout(image[box].copy(), mask[box].copy(), class_id)


def random_crop(
    sample: Sample, size: tuple[int, int], scales: tuple[float, float], rng: np.random.Generator
) -> Sample:
    """Scale by a log-uniform factor and crop to (height, width).

    The crop is where two objects touch, at an object, or anywhere, each one time of three.

    Returns:
        The crop. What lies outside the picture is PAD_COLOUR and VOID.
    """
    height, width = sample.instances.shape
    crop = np.array(size[::-1])  # x, y like what follows
    scale = float(np.exp(rng.uniform(*np.log(scales))))
    centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    present = np.unique(sample.instances[sample.instances > 0])
    if present.size and rng.random() < 2 / 3:
        wanted = sample.instances == rng.choice(present)
        if rng.random() < 0.5 and (contacts := _contacts(sample.instances)).any():
            wanted = contacts
        ys, xs = np.nonzero(wanted)
        pick = rng.integers(xs.size)
        centre = np.array([xs[pick], ys[pick]]) + rng.normal(0, crop / 8 / scale, 2)
    slack = np.array([width, height]) - crop / scale  # stay inside where the picture is larger
    origin = np.clip(centre - crop / scale / 2, np.minimum(0, slack), np.maximum(0, slack))
    warp = np.array([[scale, 0, -origin[0] * scale], [0, scale, -origin[1] * scale]])
    image, instances = sample.image, sample.instances
    if scale < 0.7:  # linear interpolation alone would alias
        image = cv2.blur(image, (2, 2))
    return Sample(
        cv2.warpAffine(image, warp, size[::-1], flags=cv2.INTER_LINEAR, borderValue=PAD_COLOUR),
        cv2.warpAffine(
            instances.astype(np.int16), warp, size[::-1], flags=cv2.INTER_NEAREST, borderValue=VOID
        ).astype(np.int32),
        sample.class_ids,
        sample.annotated,
    )


def _contacts(instances: LabelArray) -> NDArray[np.bool_]:
    """Pixels of an object with another object just below or to the right."""
    near = np.zeros(instances.shape, bool)
    for here, there in (
        (np.s_[:-_NEAR], np.s_[_NEAR:]),
        (np.s_[:, :-_NEAR], np.s_[:, _NEAR:]),
    ):
        one, other = instances[here], instances[there]
        near[here] |= (one > 0) & (other > 0) & (one != other)
    return near


def flip(sample: Sample) -> Sample:
    """Mirror left to right."""
    return Sample(
        np.ascontiguousarray(sample.image[:, ::-1]),
        np.ascontiguousarray(sample.instances[:, ::-1]),
        sample.class_ids,
        sample.annotated,
    )


def jitter_colours(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Random brightness, contrast, colour cast and gamma, and now and then grey or blurred."""
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.2))
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.05, 3))
    lut = np.clip((levels - 0.5) * gain + 0.5 + rng.normal(0, 0.06), 0, 1) * 255
    out = cv2.LUT(image, lut.astype(np.uint8)[None])
    if rng.random() < 0.05:
        out = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.1:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.5, 1.5))
    return np.asarray(out, np.uint8)


def paste_group(
    sample: Sample, cutouts: Sequence[Cutout], count: int, rng: np.random.Generator
) -> Sample:
    """Paste `count` cut-outs side by side, touching and overlapping, on one ground line."""
    height, width = sample.instances.shape
    image, instances = sample.image.copy(), sample.instances.copy()
    class_ids = list(sample.class_ids)
    tallest = np.exp(rng.uniform(np.log(0.06), np.log(0.7))) * height
    ground = rng.uniform(max(0.3 * height, tallest * 0.8), 1.1 * height)
    x = rng.uniform(0, width)
    for _ in range(count):
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        h = tallest * rng.uniform(0.75, 1.0)
        scale = h / cutout.mask.shape[0]
        if cutout.mask.shape[1] * scale > width:
            scale = width / cutout.mask.shape[1]
        bottom = ground + rng.normal(0, 0.05 * h)
        shape = _paste(image, instances, cutout, scale, x, bottom, len(class_ids), rng)
        class_ids.append(cutout.class_id)
        x += rng.choice((-1.0, 1.0)) * shape * rng.uniform(0.4, 1.1)
    return Sample(image, instances, np.array(class_ids, np.uint8), sample.annotated)


def paste_beside(
    sample: Sample, pools: Mapping[int, Sequence[Cutout]], rng: np.random.Generator
) -> Sample:
    """Paste an object beside one of like size, touching it, before or behind it.

    Most of them come from the picture itself, others from the pool of the class: a neighbour in the
    same light shows no outline but its own, as real ones do.

    Returns:
        A new sample; one without objects as it is.
    """
    objects = _large_objects(sample)
    if not objects:
        return sample
    anchor = objects[int(rng.integers(len(objects)))]
    mask = sample.instances == anchor
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    pool = pools.get(int(sample.class_ids[anchor]), ())
    if not pool or rng.random() < _OWN_SHARE:
        own = objects[int(rng.integers(len(objects)))]
        own_mask = (sample.instances == own).astype(np.uint8) * 255
        cutout = cut_out(sample.image, own_mask, int(sample.class_ids[own]))
        scale = float(np.exp(rng.normal(0, 0.1)))
    else:
        cutout = pool[int(rng.integers(len(pool)))]
        scale = height / cutout.mask.shape[0] * rng.uniform(0.7, 1.2)
    scale = min(scale, *1.5 * np.divide(mask.shape, cutout.mask.shape))
    distance = (width + cutout.mask.shape[1] * scale) / 2 * rng.uniform(0.3, 1.0)
    centre_x = left + width / 2 + rng.choice((-1.0, 1.0)) * distance
    bottom = top + height + rng.normal(0, 0.08 * height)

    image, instances = sample.image.copy(), sample.instances.copy()
    new_id = len(sample.class_ids)
    _paste(image, instances, cutout, scale, centre_x, bottom, new_id, rng, _OTHER_LIGHT)
    if rng.random() < 0.5:  # behind: the anchor goes back on top
        weight = _softened(mask.astype(np.uint8) * 255, rng)
        image = _blend(image, sample.image, weight)
        instances[mask] = anchor
    class_ids = np.append(sample.class_ids, cutout.class_id).astype(np.uint8)
    return Sample(image, instances, class_ids, sample.annotated)


def _large_objects(sample: Sample) -> list[int]:
    ids, areas = np.unique(sample.instances[sample.instances > 0], return_counts=True)
    found: list[int] = ids[areas >= _MIN_AREA].tolist()
    return found


def _paste(
    image: ImageArray,
    instances: np.ndarray,
    cutout: Cutout,
    scale: float,
    centre_x: float,
    bottom: float,
    instance_id: int,
    rng: np.random.Generator,
    other_light: float = 1.0,
) -> int:
    """Paste in place, with a softened edge; with probability `other_light` in other colours.

    Returns:
        The pasted width in pixels.
    """
    h, w = (max(2, round(n * scale)) for n in cutout.mask.shape)
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    colour = np.asarray(cv2.resize(cutout.image, (w, h), interpolation=mode), np.uint8)
    if rng.random() < other_light:
        colour = jitter_colours(colour, rng)
    alpha = cv2.resize(cutout.mask, (w, h), interpolation=mode)
    if rng.random() < 0.5:
        colour, alpha = colour[:, ::-1], alpha[:, ::-1]
    alpha = _softened(np.ascontiguousarray(alpha), rng)
    left, top = round(centre_x - w / 2), round(bottom - h)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + w, image.shape[1]), min(top + h, image.shape[0])
    if x0 < x1 and y0 < y1:
        source = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        target = np.s_[y0:y1, x0:x1]
        image[target] = _blend(image[target], colour[source], alpha[source])
        instances[target][alpha[source] > 127] = instance_id
    return w


def _softened(alpha: ImageArray, rng: np.random.Generator) -> ImageArray:
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)


def _blend(below: ImageArray, above: ImageArray, alpha: ImageArray) -> ImageArray:
    weight = alpha.astype(np.float32)[..., None] / 255
    return (below * (1 - weight) + above * weight).astype(np.uint8)
