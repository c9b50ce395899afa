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

"""What the shared memory of the middleware can carry."""

from __future__ import annotations

import os
import re
from pathlib import Path

_OLD, _NEW = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
_BYTES_PER_PIXEL = 3  # rgb8


def profile_variable() -> str:
    """The variable that the Fast DDS of this machine reads; the other name makes it complain."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    fast_dds_2 = any(Path(prefix, "lib", "libfastrtps.so").exists() for prefix in prefixes)
    return _OLD if fast_dds_2 else _NEW


def profile_path() -> str:
    """The profile of Fast DDS that the environment names; empty if it names none."""
    return next((os.environ[v] for v in (_NEW, _OLD) if os.environ.get(v)), "")


def segment_bytes(path: str) -> int:
    """Read the largest shared-memory segment of a profile.

    Returns:
        Bytes; 0 if it sets none.

    Raises:
        OSError: The file cannot be read.
    """
    text = Path(path).read_text(errors="replace")
    return max(map(int, re.findall(r"<segment_size>\s*(\d+)", text)), default=0)


def too_large(width: int, height: int) -> str:
    """What to add where images do not come that do not fit; empty if they do."""
    try:
        segment = segment_bytes(profile_path())
    except OSError:
        return ""
    image = width * height * _BYTES_PER_PIXEL
    if not 0 < segment < image:
        return ""
    return (
        f"; an rgb8 image of {width} x {height} has {image / 2**20:.0f} MiB, but the shared memory "
        f"of {profile_path()} holds {segment / 2**20:.0f} MiB: set segment_size and maxMessageSize "
        f"to at least {2 * image} there, for the camera as well"
    )
