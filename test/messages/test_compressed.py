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

"""Compressed images against what OpenCV itself wrote, and the broken ones against their reasons."""

from __future__ import annotations

import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sensor_msgs", reason="ROS 2 messages are not installed")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ssap_ros.errors import MessageError
from ssap_ros.messages.compressed import compressed_to_rgb, png_label_image, png_labels

HEADER = Header(stamp=Time(sec=12, nanosec=345_678_901), frame_id="camera/left")
SMOOTH = np.stack(
    [np.add.outer(np.arange(40), np.arange(60)) * k % 256 // 2 for k in (1, 2, 2)], axis=2
).astype(np.uint8)


def packed(kind: str, pixels: NDArray[np.generic], name: str = "") -> CompressedImage:
    """`pixels` (BGR or grey) as a file in a message."""
    done, data = cv2.imencode(f".{kind}", pixels)
    assert done
    return CompressedImage(header=HEADER, format=name or kind, data=array("B", data.tobytes()))


def test_png_of_8_and_16_bits_grey_colour_and_alpha() -> None:
    grey = SMOOTH[..., 0]
    expected = {
        "grey": (grey, np.dstack([grey] * 3)),
        "colour": (SMOOTH[..., ::-1], SMOOTH),
        "alpha": (np.dstack([SMOOTH[..., ::-1], grey]), SMOOTH),
    }
    for name, (pixels, rgb) in expected.items():
        for wide in (pixels, pixels * np.uint16(257)):
            result = compressed_to_rgb(packed("png", wide))
            assert result.dtype == np.uint8
            assert np.array_equal(result, rgb), name


def test_jpeg_keeps_colours_and_turns_nothing() -> None:
    result = compressed_to_rgb(packed("jpeg", np.full((16, 32, 3), (20, 90, 200), np.uint8)))
    assert result.shape == (16, 32, 3)
    assert np.abs(result.astype(int) - (200, 90, 20)).max() <= 4
    grey = compressed_to_rgb(packed("jpeg", np.full((16, 32), 77, np.uint8)))
    assert (grey == 77).all()


def test_a_jpeg_with_padding_behind_its_end_is_read() -> None:
    msg = packed("jpeg", SMOOTH)
    msg.data.extend(array("B", bytes(7)))
    assert compressed_to_rgb(msg).shape == SMOOTH.shape


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_black_picture_is_not_taken_for_a_lie(kind: str) -> None:
    assert not compressed_to_rgb(packed(kind, np.zeros((2000, 2000, 3), np.uint8))).any()


@pytest.mark.parametrize("bits", [8, 16])
def test_the_mosaic_of_a_bayer_camera_becomes_a_picture(bits: int) -> None:
    mosaic = np.tile(np.array([[200, 120], [120, 30]], np.uint8), (8, 8))
    mosaic = mosaic if bits == 8 else mosaic * np.uint16(257)
    msg = packed("png", mosaic, f"bayer_rggb{bits}; png compressed bayer_rggb{bits}")
    assert (compressed_to_rgb(msg)[1:-1, 1:-1] == (200, 120, 30)).all()


@pytest.mark.parametrize("seed", range(5))
def test_label_images_survive_png(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 65536, rng.integers(1, 80, 2)).astype(np.uint16)
    msg = png_label_image(HEADER, labels)
    assert msg.header == HEADER
    assert np.array_equal(png_labels(msg), labels)


def cut(kind: str, pixels: NDArray[np.generic], n: int) -> CompressedImage:
    msg = packed(kind, pixels)
    msg.data = msg.data[:n]
    return msg


def of_size(width: int, height: int, kind: str) -> CompressedImage:
    """A file whose header claims a size that it does not have."""
    msg = packed(kind, SMOOTH)
    data = bytearray(msg.data)
    if kind == "png":
        data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    else:
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    msg.data = array("B", bytes(data))
    return msg


BROKEN = {
    "nothing": (
        CompressedImage(format="jpeg"),
        "must be jpeg or png, got the bytes nothing .format 'jpeg'",
    ),
    "foreign": (packed("bmp", SMOOTH), "must be jpeg or png, got the bytes 42 4d .* .format 'bmp'"),
    "cut jpeg": (cut("jpeg", SMOOTH, 700), "jpeg must end with EOI, got 700 bytes without it"),
    "cut png": (cut("png", SMOOTH, 300), "png must end with IEND, got 300 bytes without it"),
    "short png": (cut("png", SMOOTH, 20), "png must end with IEND, got 20 bytes"),
    "huge png": (of_size(60_000, 60_000, "png"), "1 to 67108864 pixels, got 60000 x 60000"),
    "huge jpeg": (of_size(65_500, 65_500, "jpeg"), "pixels, got 65500 x 65500"),
    "lying jpeg": (of_size(8000, 8000, "jpeg"), "8000 x 8000 pixels cannot be in "),
    "empty png": (of_size(0, 9, "png"), "pixels, got 0 x 9"),
    "lying png": (of_size(50, 40, "png"), "cannot be decoded"),
    "headless jpeg": (
        CompressedImage(format="jpeg", data=array("B", b"\xff\xd8\xff\xe0\0\x04\0\0\xff\xd9")),
        "must have a frame header",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_why(name: str) -> None:
    msg, text = BROKEN[name]
    with pytest.raises(MessageError, match=text):
        compressed_to_rgb(msg)


def test_a_picture_is_no_label_image() -> None:
    with pytest.raises(MessageError, match=r"must be uint16 \(H, W\), got uint8 \(40, 60, 3\)"):
        png_labels(packed("png", SMOOTH))


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_significant_bits_of_a_camera(bits: int) -> None:
    from ssap_ros.messages import bits_in_use, image_to_rgb, label_image

    values = np.linspace(0, 2**bits - 1, 12 * 16).reshape(12, 16).astype(np.uint16)
    expected = np.round(values.astype(float) * 255 / (2**bits - 1))
    raw = label_image(HEADER, values)
    for result in (
        compressed_to_rgb(packed("png", values), bits)[..., 0],
        image_to_rgb(raw, bits)[..., 0],
    ):
        assert np.abs(result - expected).max() <= 1
    assert bits_in_use(raw) == bits_in_use(packed("png", values)) == bits
    dark = label_image(HEADER, values // 64)
    assert bits_in_use(dark, raw, dark) == bits
    assert image_to_rgb(raw).max() == round(255 * (2**bits - 1) / 65535)
    over = label_image(HEADER, np.full((2, 2), 65535, np.uint16))
    assert (image_to_rgb(over, bits) == 255).all()
    assert bits_in_use(over) == 0
    assert bits_in_use(label_image(HEADER, np.zeros((2, 2), np.uint16))) == 0


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, depth: int, colours: int, row: bytes, extra: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colours, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + head + extra + data + chunk(b"IEND", b"")


def without_huffman_tables(data: bytes) -> bytes:
    """As the frames of a USB camera are."""
    kept, at = data[:2], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += data[at:end] if data[at + 1] != 0xC4 else b""
        at = end
    return kept + data[at:]


PLAIN = packed("jpeg", SMOOTH).data.tobytes()
SEGMENT = b"\xff\xfe\x00\x08" + b"\xff\xd9\xff\xd9ab"  # a comment, or a thumbnail, that ends early


@pytest.mark.parametrize(
    "data",
    [
        without_huffman_tables(PLAIN),
        PLAIN[:2] + SEGMENT + PLAIN[2:],
        PLAIN[:2] + b"\xff\xff\xff" + PLAIN[2:],
        PLAIN + PLAIN,
    ],
    ids=["usb camera", "comment", "fill bytes", "two pictures"],
)
def test_jpeg_as_cameras_write_it(data: bytes) -> None:
    plain = compressed_to_rgb(CompressedImage(format="jpeg", data=array("B", PLAIN)))
    found = compressed_to_rgb(CompressedImage(format="jpeg", data=array("B", data)))
    assert np.array_equal(found, plain)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(8, 1, 0, b"\xaa"), [255, 0] * 4),
        (png(2, 8, 3, b"\1\0", chunk(b"PLTE", bytes([7, 7, 7, 9, 9, 9]))), [9, 7]),
        (png(2, 8, 4, b"\1\2\3\4"), [1, 3]),
        (png(2, 8, 0, b"\1\2", chunk(b"tRNS", b"\0\1")), [1, 2]),
        (png(2, 8, 0, b"\1\2", chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1 << 25)))), [1, 2]),
    ],
    ids=["1 bit", "palette", "grey and alpha", "transparent", "large profile"],
)
def test_png_of_every_kind(data: bytes, expected: list[int]) -> None:
    found = compressed_to_rgb(CompressedImage(format="png", data=array("B", data)))
    assert found[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    "form", ["", "x", "JPEG", "png", "rgb8; jpeg compressed bgr8", "bayer_rggb8; jpeg compressed "]
)
def test_the_format_of_a_colour_jpeg_is_of_no_account(form: str) -> None:
    plain = compressed_to_rgb(CompressedImage(format="jpeg", data=array("B", PLAIN)))
    found = compressed_to_rgb(CompressedImage(format=form, data=array("B", PLAIN)))
    assert np.array_equal(found, plain)


def test_a_mosaic_that_there_is_not_is_refused() -> None:
    msg = packed("png", SMOOTH[..., 0])
    msg.format = "bayer_xxxx8; png compressed "
    with pytest.raises(MessageError, match="encoding 'bayer_xxxx8' is not one of a camera"):
        compressed_to_rgb(msg)
