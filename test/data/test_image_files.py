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

"""One decoder: what a camera sends, a bag holds and a file stores become the same pixels."""

import resource
import struct
from array import array

import cv2
import numpy as np
import pytest

from ssap_ros.data.image_files import decode_image, read_image, to_rgb8
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.errors import InputError, MessageError

RGB = street_scene(3, (96, 128)).image
JPEG = cv2.imencode(".jpg", RGB[..., ::-1])[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", RGB[..., ::-1], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
PNG = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
TURNED = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
EXIF = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(TURNED) + 2) + TURNED + JPEG[2:]


def test_png_is_read_without_loss():
    np.testing.assert_array_equal(to_rgb8(decode_image(PNG)), RGB)


@pytest.mark.parametrize("tail", [b"\r\n", b"\0" * 100, b"\xff" * 100, bytes(range(1, 200)) * 5])
@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, PNG], ids=["jpeg", "progressive", "png"])
def test_bytes_behind_the_end_do_no_harm(data, tail):
    np.testing.assert_array_equal(decode_image(data + tail), decode_image(data))


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, PNG, EXIF])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_incomplete_data_are_refused(data, share):
    with pytest.raises(MessageError, match=r"must (end with|have a frame header)"):
        decode_image(data[: int(len(data) * share)])


@pytest.mark.parametrize("length", [1 << 16, 1 << 30, (1 << 31) - 1, (1 << 32) - 1])
def test_a_chunk_longer_than_the_data_costs_no_memory(length):
    at = PNG.index(b"IDAT") - 4
    data = PNG[:at] + length.to_bytes(4, "big") + PNG[at + 4 :]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MessageError, match="must end with IEND"):
        decode_image(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


@pytest.mark.parametrize("data", [JPEG, PNG, EXIF], ids=["jpeg", "png", "turned"])
def test_a_file_is_what_the_node_sees_live(tmp_path, data):
    messages = pytest.importorskip("ssap_ros.messages")
    image = pytest.importorskip("sensor_msgs.msg").CompressedImage
    (tmp_path / "image").write_bytes(data)
    live = messages.compressed_to_rgb(image(format="jpeg", data=array("B", data)))
    np.testing.assert_array_equal(read_image(tmp_path / "image"), live)


def test_other_formats_are_for_opencv(tmp_path):
    cv2.imwrite(str(tmp_path / "image.bmp"), RGB[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "image.bmp"), RGB)


@pytest.mark.parametrize("data", [b"", b"no image", JPEG[:-2]])
def test_files_that_are_no_image(tmp_path, data):
    (tmp_path / "image.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"cannot read the image .*image.jpg: "):
        read_image(tmp_path / "image.jpg")
    with pytest.raises(InputError, match=r"absent.jpg: No such file"):
        read_image(tmp_path / "absent.jpg")
