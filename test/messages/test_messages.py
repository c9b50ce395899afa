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

"""Messages: every claimed encoding against pixels worked out by hand, and what goes out again."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sensor_msgs", reason="ROS 2 messages are not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ssap_ros import messages
from ssap_ros.messages import MessageError, image_to_rgb
from ssap_ros.messages import images as image_messages
from ssap_ros.types import Instance

RGB = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)
GREY = RGB[:, :, 0]
HEADER = Header(stamp=Time(sec=12, nanosec=345_678_901), frame_id="camera/left")


def message(
    rows: NDArray[np.generic], encoding: str, *, size: tuple[int, int] = (8, 6), padding: int = 0
) -> Image:
    """An image message of `rows`, each followed by `padding` bytes of 0xAB."""
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    data = np.pad(flat, ((0, 0), (0, padding)), constant_values=0xAB)
    return Image(
        header=HEADER,
        width=size[0],
        height=size[1],
        encoding=encoding,
        is_bigendian=int(rows.dtype.byteorder == ">"),
        step=data.shape[1],
        data=array("B", data.tobytes()),
    )


def with_alpha(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([colour, GREY])


GREY_RGB = np.dstack([GREY] * 3)
# A multiple of 257 is an 8-bit value seen through 16 bits, so that the way back is exact.
EXACT = {
    "mono8": (GREY, GREY_RGB),
    "8UC1": (GREY, GREY_RGB),
    "rgb8": (RGB, RGB),
    "bgr8": (RGB[..., ::-1], RGB),
    "8UC3": (RGB[..., ::-1], RGB),
    "rgba8": (with_alpha(RGB), RGB),
    "bgra8": (with_alpha(RGB[..., ::-1]), RGB),
    "mono16": (GREY * np.uint16(257), GREY_RGB),
    "16UC1": (GREY * np.uint16(257), GREY_RGB),
    "rgb16": (RGB * np.uint16(257), RGB),
    "bgr16": (RGB[..., ::-1] * np.uint16(257), RGB),
    "rgba16": (with_alpha(RGB) * np.uint16(257), RGB),
    "bgra16": (with_alpha(RGB[..., ::-1]) * np.uint16(257), RGB),
}


@pytest.mark.parametrize("padding", [0, 1, 12])
@pytest.mark.parametrize("encoding", EXACT)
def test_exact_encodings_with_and_without_padding(encoding: str, padding: int) -> None:
    rows, expected = EXACT[encoding]
    result = image_to_rgb(message(rows, encoding, padding=padding))
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    assert np.array_equal(result, expected)


@pytest.mark.parametrize("encoding", [name for name in EXACT if EXACT[name][0].itemsize == 2])
def test_big_endian(encoding: str) -> None:
    rows, expected = EXACT[encoding]
    assert np.array_equal(image_to_rgb(message(rows.astype(">u2"), encoding)), expected)


def test_sixteen_bits_are_rounded_to_eight() -> None:
    values = np.array([[0, 128, 129, 385, 386, 65406, 65407, 65535]], np.uint16)
    result = image_to_rgb(message(values, "mono16", size=(8, 1)))
    assert result[0, :, 0].tolist() == [0, 0, 1, 1, 2, 254, 255, 255]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_pattern_names_the_first_two_rows(pattern: str, bits: int) -> None:
    """Of a uniform colour every interior pixel comes back, since all its neighbours agree."""
    colour = {"r": 200, "g": 120, "b": 30}
    cell = np.array([colour[c] for c in pattern]).reshape(2, 2)
    mosaic = np.tile(cell, (3, 4)).astype(np.uint8)
    rows = mosaic if bits == 8 else mosaic * np.uint16(257)
    for padding in (0, 6):
        result = image_to_rgb(message(rows, f"bayer_{pattern}{bits}", padding=padding))
        assert (result[1:-1, 1:-1] == (200, 120, 30)).all()


def bt601(y: int, u: int, v: int) -> NDArray[np.float64]:
    """RGB of one studio-range YUV sample, from the coefficients of ITU-R BT.601."""
    r = 1.164 * (y - 16) + 1.596 * (v - 128)
    g = 1.164 * (y - 16) - 0.813 * (v - 128) - 0.391 * (u - 128)
    b = 1.164 * (y - 16) + 2.018 * (u - 128)
    return np.clip([r, g, b], 0, 255)


Y, U, V = 120, 90, 160


@pytest.mark.parametrize(
    ("encoding", "group"),
    [
        ("yuv422", (U, Y, V, Y)),
        ("uyvy", (U, Y, V, Y)),
        ("yuv422_yuy2", (Y, U, Y, V)),
        ("yuyv", (Y, U, Y, V)),
    ],
)
def test_yuv_4_2_2(encoding: str, group: tuple[int, ...]) -> None:
    rows = np.tile(np.array(group, np.uint8), (6, 4))
    result = image_to_rgb(message(rows, encoding, padding=4))
    assert np.abs(result - bt601(Y, U, V)).max() <= 1.5


@pytest.mark.parametrize(("encoding", "pair"), [("nv12", (U, V)), ("nv21", (V, U))])
def test_yuv_4_2_0_has_half_as_many_rows_again(encoding: str, pair: tuple[int, int]) -> None:
    luma = np.full((6, 8), Y, np.uint8)
    chroma = np.tile(np.array(pair, np.uint8), (3, 4))
    result = image_to_rgb(message(np.vstack([luma, chroma]), encoding, padding=3))
    assert result.shape == (6, 8, 3)
    assert np.abs(result - bt601(Y, U, V)).max() <= 1.5


def test_rgb8_is_not_copied() -> None:
    if image_messages.CvBridge is not None:
        pytest.skip("cv_bridge copies")
    msg = message(RGB, "rgb8")
    assert np.shares_memory(image_to_rgb(msg), np.frombuffer(msg.data, np.uint8))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"encoding": "32FC1"}, r"encoding '32FC1' is not one of a camera, such as rgb8"),
        ({"encoding": ""}, "encoding '' is not one of a camera"),
        ({"width": 0}, "must have pixels, got 0 x 6"),
        ({"height": 0}, "must have pixels, got 8 x 0"),
        ({"step": 23}, "step must be at least 24 for 8 pixels of rgb8, got 23"),
        ({"height": 7}, r"step \* rows = 24 \* 7 = 168 bytes, got 144"),
        ({"data": array("B")}, "144 bytes, got 0"),
        ({"encoding": "yuyv", "width": 7}, "width divisible by 2 .*, got 7 x 6"),
        ({"encoding": "nv12", "height": 5}, "height divisible by 2, got 8 x 5"),
        ({"encoding": "nv21"}, r"24 \* 9 = 216 bytes, got 144"),
    ],
)
def test_broken_messages_say_what_was_expected_and_what_came(
    change: dict[str, object], text: str
) -> None:
    msg = message(RGB, "rgb8")
    for field, value in change.items():
        setattr(msg, field, value)
    with pytest.raises(MessageError, match=text):
        image_to_rgb(msg)


@pytest.mark.skipif(image_messages.CvBridge is None, reason="cv_bridge is not installed")
@pytest.mark.parametrize("encoding", sorted(image_messages.CV_BRIDGE_ENCODINGS))
def test_own_conversion_agrees_with_cv_bridge(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = image_messages._ENCODINGS[encoding]
    shape = (6, 8 * layout.channels * layout.bits // 8)
    rows = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    msg = message(rows, encoding)
    theirs = image_to_rgb(msg)
    monkeypatch.setattr(image_messages, "CvBridge", None)
    assert np.array_equal(image_to_rgb(msg), theirs)


@pytest.mark.parametrize("encoding", ["mono8", "rgb8", "bgra8", "bayer_rggb8", "yuv422"])
def test_the_byte_order_of_single_bytes_means_nothing(encoding: str) -> None:
    shape = (6, 8 * image_messages._ENCODINGS[encoding].channels)
    msg = message(np.random.default_rng(5).integers(0, 256, shape, np.uint8), encoding)
    expected = image_to_rgb(msg)
    msg.is_bigendian = 1
    assert np.array_equal(image_to_rgb(msg), expected)


def test_label_image_holds_the_labels_and_the_header() -> None:
    labels = np.array([[0, 1, 2], [300, 65535, 0]], np.uint16)
    msg = messages.label_image(HEADER, labels)
    assert (msg.width, msg.height, msg.encoding, msg.step) == (3, 2, "mono16", 6)
    assert msg.header == HEADER
    dtype = ">u2" if msg.is_bigendian else "<u2"
    assert np.array_equal(np.frombuffer(msg.data, dtype).reshape(2, 3), labels)


def test_rgb_image_reads_back() -> None:
    picture = np.asfortranarray(RGB)
    assert np.array_equal(image_to_rgb(messages.rgb_image(HEADER, picture)), RGB)
    for part in (RGB[:1, :1], RGB[:1, ::2], RGB[::2, :1], RGB[1:3]):
        assert np.array_equal(image_to_rgb(messages.rgb_image(HEADER, part)), part)


def test_detections_follow_the_instances() -> None:
    instances = (Instance(1, 0.75, (10, 20, 5, 8), 33), Instance(7, 0.5, (0, 0, 1, 1), 1))
    msg = messages.detections(HEADER, instances)
    first, second = msg.detections
    assert msg.header == first.header == second.header == HEADER
    assert first.results[0].hypothesis.class_id == "1"
    assert first.results[0].hypothesis.score == 0.75
    assert first.id == ""
    assert (first.bbox.center.position.x, first.bbox.center.position.y) == (12.5, 24.0)
    assert (first.bbox.size_x, first.bbox.size_y, first.bbox.center.theta) == (5.0, 8.0, 0.0)
    assert (second.bbox.center.position.x, second.bbox.size_x) == (0.5, 1.0)


def test_no_instances_make_an_empty_array() -> None:
    msg = messages.detections(HEADER, ())
    assert msg.header == HEADER
    assert len(msg.detections) == 0


def test_label_info_names_every_class() -> None:
    msg = messages.label_info(HEADER, {0: "background", 1: "person"}, 0.25)
    assert [(c.class_id, c.class_name) for c in msg.class_map] == [(0, "background"), (1, "person")]
    assert msg.threshold == 0.25


def test_diagnostics_are_text() -> None:
    entry = messages.diagnostic_status("ssap", 1, "waiting", {"received": 3, "state": "waiting"})
    msg = messages.diagnostic_array(HEADER.stamp, [entry])
    (status,) = msg.status
    assert msg.header.stamp == HEADER.stamp
    assert (status.name, status.level, status.message) == ("ssap", DiagnosticStatus.WARN, "waiting")
    assert [(v.key, v.value) for v in status.values] == [("received", "3"), ("state", "waiting")]


LABELS = np.array([[0, 1, 2], [2, 2, 0]], np.uint16)
FOUND = (Instance(1, 0.75, (0, 0, 3, 2), 3), Instance(7, 0.5, (1, 0, 1, 1), 1))


@pytest.mark.parametrize("write", [messages.label_image, messages.png_label_image])
def test_masks_of_a_frame(write: Callable[..., object]) -> None:
    masks = messages.instance_masks(write(HEADER, LABELS), messages.detections(HEADER, FOUND))
    assert masks.dtype == bool
    assert np.array_equal(masks, [LABELS == 1, LABELS == 2])
    none = messages.instance_masks(write(HEADER, 0 * LABELS), messages.detections(HEADER, ()))
    assert none.shape == (0, 2, 3)


def test_masks_of_a_foreign_byte_order_with_padding() -> None:
    msg = messages.label_image(HEADER, LABELS)
    padded = np.pad(LABELS, ((0, 0), (0, 2)), constant_values=9).astype(">u2")
    msg.data, msg.step, msg.is_bigendian = array("B", padded.tobytes()), 10, 1
    assert np.array_equal(messages.labels_of(msg), LABELS)


def test_masks_that_are_not_of_the_frame_are_rejected() -> None:
    found = messages.detections(HEADER, FOUND)
    with pytest.raises(MessageError, match="must be of one frame"):
        messages.instance_masks(messages.label_image(Header(), LABELS), found)
    one = messages.detections(HEADER, FOUND[:1])
    with pytest.raises(MessageError, match="labels must be at most 1, one per detection, got 2"):
        messages.instance_masks(messages.label_image(HEADER, LABELS), one)
    with pytest.raises(MessageError, match="complete and mono16, got 18 bytes of 'rgb8'"):
        messages.instance_masks(message(RGB[:1, :6], "rgb8", size=(6, 1)), found)


def test_the_label_image_writer_keeps_its_memory_and_follows_the_size() -> None:
    write = messages.LabelImageWriter()
    first = write(HEADER, LABELS)
    memory = np.frombuffer(first.data, np.uint8)
    second = write(Header(frame_id="b"), LABELS[::-1])
    assert np.shares_memory(memory, np.frombuffer(second.data, np.uint8))
    assert second.header.frame_id == "b"
    assert np.array_equal(messages.labels_of(second), LABELS[::-1])
    assert np.array_equal(messages.labels_of(write(HEADER, LABELS.T)), LABELS.T)
    assert write(HEADER, LABELS.T).step == 4


def test_tracks_are_numbered_in_the_detections() -> None:
    msg = messages.detections(HEADER, FOUND, [7, 3])
    assert [d.id for d in msg.detections] == ["7", "3"]


@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("order", "<>")
def test_depth_images_come_back_whatever_their_layout(dtype: str, order: str) -> None:
    depth = (np.arange(12).reshape(3, 4) * 100).astype(dtype)
    padded = np.zeros((3, 4 * depth.itemsize + 6), np.uint8)
    padded[:, :-6] = depth.astype(order + dtype).view(np.uint8)
    msg = messages.depth_image(Header(frame_id="d"), depth)
    msg.is_bigendian, msg.step = int(order == ">"), padded.shape[1]
    msg.data = array("B", padded.tobytes())
    read = messages.depth_of(msg)
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, depth)
    again = messages.depth_image(Header(frame_id="d"), read)
    assert (again.encoding, again.step) == (
        "16UC1" if dtype == "u2" else "32FC1",
        4 * depth.itemsize,
    )
    np.testing.assert_array_equal(messages.depth_of(again), depth)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "8UC1"}, "16UC1 in millimetres or 32FC1 in metres, got '8UC1' of 4 x 3"),
        ({"height": 300}, "needs rows of 8 bytes, got 24 bytes in rows of 8"),
        ({"step": 7}, "in rows of 7"),
        ({"width": 0}, "16UC1 of 0 x 3"),
    ],
)
def test_what_is_no_depth_image(changes: dict[str, object], words: str) -> None:
    msg = messages.depth_image(Header(), np.zeros((3, 4), np.uint16))
    for name, value in changes.items():
        setattr(msg, name, value)
    with pytest.raises(MessageError, match=words):
        messages.depth_of(msg)
