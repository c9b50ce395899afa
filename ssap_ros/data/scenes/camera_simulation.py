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

"""What a camera does to the light that reaches it."""

from __future__ import annotations

import cv2
import numpy as np

from ssap_ros.data.scenes.canvas import noise_patch
from ssap_ros.types import ImageArray


def simulate_camera(image: ImageArray, rng: np.random.Generator, frame: int) -> ImageArray:
    """Apply exposure, contrast, colour cast, blur, noise and JPEG.

    The settings depend on `rng` only, the noise on `frame` too.

    Returns:
        A new image, uint8 (H, W, 3) like the given one.
    """
    height, width = image.shape[:2]
    gain = rng.uniform(0.6, 1.35) * (1 + rng.uniform(-0.09, 0.09, 3))
    contrast, gamma = rng.uniform(0.75, 1.2), rng.uniform(0.75, 1.3)
    ramp = np.linspace(0, 1, 256)[:, None] ** gamma * gain
    curve = np.clip((0.5 + (ramp - 0.5) * contrast) * 255, 0, 255).astype(np.uint8)
    out = cv2.LUT(image, curve.reshape(256, 1, 3))
    sigma = float(rng.choice([0.0, rng.uniform(0.4, 0.9), rng.uniform(0.9, 1.8)]))
    if sigma:
        out = cv2.GaussianBlur(out, (0, 0), sigma)
    strength, colour_noise = rng.uniform(0, 9) * (rng.random() < 0.8), rng.random() < 0.4
    quality = int(rng.integers(35, 96)) if rng.random() < 0.6 else 0
    if strength:
        grain = np.random.default_rng((int(rng.integers(2**31)), frame))
        noise = noise_patch(grain, height, width)
        channels = (
            [noise, np.roll(noise, 7, 0), np.roll(noise, 13, 1)] if colour_noise else [noise] * 3
        )
        out = cv2.add(out, cv2.merge(channels) * np.float32(strength), dtype=cv2.CV_8U)
    if quality:
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return out
