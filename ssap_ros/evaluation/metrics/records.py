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

"""What all metrics have in common: one small record per image, merged in order."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

from ssap_ros.data.segments import IntArray

R = TypeVar("R")
M = TypeVar("M", bound="ImageRecords[Any]")


class ImageRecords(Generic[R]):
    """Records of images, each made where the image was; the result is made of all of them."""

    def __init__(self) -> None:
        self.records: list[R] = []

    def merge(self: M, other: M) -> None:
        """Append the images of `other`, which was made with the same arguments."""
        self.records += other.records

    def resampled(self: M, indices: IntArray) -> M:
        """Of the images with these numbers alone, each as often as it is named."""
        sample = copy.copy(self)
        sample.records = [self.records[i] for i in indices]
        return sample
