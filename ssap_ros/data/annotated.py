"""What a data set offers: pictures, each with all its segments."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from ssap_ros.data.segments import Segments
from ssap_ros.types import ImageArray


class AnnotatedImage(NamedTuple):
    """image: uint8 (H, W, 3) RGB. truth: its segments, things and stuff, as a label map."""

    image: ImageArray
    truth: Segments


class AnnotatedSet(Protocol):
    """A list of annotated pictures.

    classes: the names of the class ids. thing_ids: those that have instances.
    distances: the truths hold the distances of the objects.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def thing_ids(self) -> tuple[int, ...]: ...

    @property
    def distances(self) -> bool: ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What the picture is called, for reports."""
        ...

    def files(self, index: int) -> tuple[Path, ...]:
        """Where the picture is; empty if it is made."""
        ...

    def read(self, index: int) -> AnnotatedImage:
        """Load one picture. Raises InputError if a file cannot be read or is not what it should."""
        ...
