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

"""Where frames of the camera lie in another frame, by tf2 where that is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from ssap_ros.errors import InputError, one_line

try:
    import tf2_ros
except ImportError:  # there are no wheels of it; a distribution has it
    tf2_ros = None


class TargetFrame:
    """Transforms camera coordinates into those of the frame `name`.

    Raises:
        InputError: tf2 is not installed.
    """

    def __init__(self, node: Node, name: str) -> None:
        if tf2_ros is None:
            raise InputError(
                f"target_frame {name!r} needs the Python package tf2_ros, which is not installed: "
                "sudo apt install ros-$ROS_DISTRO-tf2-ros-py"
            )
        self._name = name
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def of(self, header: Header) -> tuple[Header, NDArray[np.float64], NDArray[np.float64]]:
        """Look up by tf2 how to get into the frame at the time of `header`.

        Returns:
            The header of the frame, rotation float64 (3, 3) and shift (3,) in metres that lead into
            it.

        Raises:
            InputError: tf2 does not know them for that time.
        """
        try:
            found: Any = self._buffer.lookup_transform(
                self._name, header.frame_id, Time.from_msg(header.stamp)
            ).transform
        except tf2_ros.TransformException as error:
            raise InputError(
                f"no transform from {header.frame_id!r} to {self._name!r}: {one_line(error)}"
            ) from error
        turn, shift = found.rotation, found.translation
        rotation = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
        target = Header(stamp=header.stamp, frame_id=self._name)
        return target, rotation, np.array([shift.x, shift.y, shift.z])

    def close(self) -> None:
        """Listen no more."""
        self._listener.unregister()
