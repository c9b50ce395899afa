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

"""Six frames to put into a source, and whether they come out of it."""

import cv2
import numpy as np

FRAMES = [np.full((48, 64, 3), (20 * i, 100, 255 - 20 * i), np.uint8) for i in range(6)]


def write_folder(folder, suffix=".png"):
    folder.mkdir(exist_ok=True)
    for i, frame in enumerate(FRAMES):
        cv2.imwrite(str(folder / f"{i:03d}{suffix}"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return folder


def check_source(source, tolerance=0):
    frames = list(source)
    assert len(frames) == len(FRAMES)
    assert source.skipped == 0
    assert [frame.index for frame in frames] == list(range(len(FRAMES)))
    stamps = [frame.stamp for frame in frames]
    assert stamps == sorted(set(stamps))
    for frame, truth in zip(frames, FRAMES, strict=True):
        image = frame.rgb()
        assert frame.size == truth.shape[:2]
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        np.testing.assert_allclose(image.astype(int), truth, atol=tolerance)
    return stamps
