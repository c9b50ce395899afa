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
