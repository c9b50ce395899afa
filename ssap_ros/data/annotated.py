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

"""What a data set offers: pictures, each with all its segments."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from ssap_ros.data.segments import Segments
from ssap_ros.types import ImageArray


class AnnotatedImage(NamedTuple):
    """A picture and what is known of it.

    Attributes:
        image: uint8 (H, W, 3) RGB.
        truth: Its segments, thing and stuff classes, as a label map.
    """

    image: ImageArray
    truth: Segments


class AnnotatedSet(Protocol):
    """A list of annotated pictures.

    Attributes:
        classes: The names of the class ids.
        thing_ids: Those that have instances.
        distances: The truths hold the distances of the objects.
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
        """Load one picture.

        Raises:
            InputError: A file cannot be read or is not what it should.
        """
        ...
