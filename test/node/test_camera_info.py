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

"""A camera_info goes out under the header of the image that it was taken with, or not at all."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from ssap_ros.messages import rgb_image
from ssap_ros.node.camera_info import CameraInfos
from support.node_client import PICTURE, Starter

MS = 1_000_000
SECOND = 1_000 * MS


def header(nanoseconds: int, frame_id: str = "camera") -> Header:
    stamped = Header(frame_id=frame_id)
    stamped.stamp.sec, stamped.stamp.nanosec = divmod(nanoseconds, SECOND)
    return stamped


def taken_at(*stamps: int) -> CameraInfos:
    infos = CameraInfos()
    for number, stamp in enumerate(stamps):
        infos.put(CameraInfo(header=header(stamp), width=number))
    return infos


@pytest.mark.parametrize(
    ("image", "number"),
    [
        (SECOND, 1),
        (SECOND + 1, 1),
        (SECOND + 2 * MS, 2),
        (SECOND - 5 * MS, 1),
        (SECOND - 5 * MS - 1, None),
        (SECOND - 14 * MS, 0),
    ],
)
def test_the_nearest_within_5_ms_is_taken(image: int, number: int | None) -> None:
    infos = taken_at(SECOND - 16 * MS, SECOND, SECOND + 3 * MS)
    found = infos.of(header(image, "image"))
    assert (found and found.width) == number
    assert infos.n_unmatched == (number is None)


def test_each_image_gets_its_own_under_its_own_header() -> None:
    infos = taken_at(SECOND, 2 * SECOND)
    first, second = (infos.of(header(stamp, "image")) for stamp in (SECOND, SECOND + 1))
    assert first.header == header(SECOND, "image")
    assert second.header == header(SECOND + 1, "image")
    assert (first.width, second.width) == (0, 0)


def test_a_stamp_before_1970_is_a_stamp() -> None:
    infos = taken_at(-SECOND + 1)
    assert infos.of(header(-SECOND)) is not None


def test_a_camera_that_sends_none_misses_none() -> None:
    infos = CameraInfos()
    assert infos.of(header(SECOND)) is None
    infos.put(CameraInfo(header=header(0)))
    infos.clear()
    assert infos.of(header(SECOND)) is None
    assert infos.n_unmatched == 0


def test_images_do_not_wait_and_those_without_are_counted(start: Starter) -> None:
    client = start()
    client.connect()
    got = client.listen(CameraInfo, "/ssap/camera_info", 10)
    infos = client.node.create_publisher(CameraInfo, "camera_info", 10)
    client.wait(infos.get_subscription_count, "subscription of camera_info")
    client.process_picture(PICTURE)
    assert client.wait_for_status(camera_info_unmatched=0)

    msg = rgb_image(client.header(), PICTURE)

    def send_both(msg: object) -> None:
        infos.publish(CameraInfo(header=msg.header, width=7))
        client.send(msg)

    client.wait(
        lambda: send_both(rgb_image(client.header(), PICTURE)) or (client.status() and got),
        "a camera_info",
    )
    client.process_frame(msg, send_both)
    before = int(client.wait_for_status(waiting=0)["camera_info_unmatched"])
    late = client.header()
    client.process_frame(rgb_image(late, PICTURE))
    assert int(client.status()[1]["camera_info_unmatched"]) > before
    assert late not in [info.header for info in got]
