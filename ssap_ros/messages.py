"""ROS messages <-> numpy, and nothing else."""

from __future__ import annotations

import dataclasses
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from numpy.typing import NDArray
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
)

from ssap_ros.types import ImageArray, Instance

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None


class MessageError(ValueError):
    """An image message that cannot be read; the text names what was expected and what came."""


class _Encoding(NamedTuple):
    """How pixels lie in memory, and the OpenCV code that makes RGB of them (None: they are RGB).

    chroma: (width, height) in pixels that share one colour sample; where the height is 2, the
        samples follow the image as half as many rows again (YUV 4:2:0).
    """

    channels: int
    code: int | None
    bits: int = 8
    chroma: tuple[int, int] = (1, 1)


_DEPTHS = (8, 16)
# ROS names a Bayer pattern by the first two pixels of rows 0 and 1, OpenCV by (1, 1) and (1, 2).
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_ENCODINGS = {
    **{f"mono{bits}": _Encoding(1, cv2.COLOR_GRAY2RGB, bits) for bits in _DEPTHS},
    **{f"rgb{bits}": _Encoding(3, None, bits) for bits in _DEPTHS},
    **{f"bgr{bits}": _Encoding(3, cv2.COLOR_BGR2RGB, bits) for bits in _DEPTHS},
    **{f"rgba{bits}": _Encoding(4, cv2.COLOR_RGBA2RGB, bits) for bits in _DEPTHS},
    **{f"bgra{bits}": _Encoding(4, cv2.COLOR_BGRA2RGB, bits) for bits in _DEPTHS},
    **{
        f"bayer_{pattern}{bits}": _Encoding(1, code, bits)
        for pattern, code in _BAYER.items()
        for bits in _DEPTHS
    },
    "yuv422": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY, chroma=(2, 1)),
    "yuv422_yuy2": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2, chroma=(2, 1)),
}
CV_BRIDGE_ENCODINGS = frozenset(_ENCODINGS)
"""What cv_bridge converts to rgb8 in every distribution since Humble."""

_ENCODINGS |= {
    "8UC1": _ENCODINGS["mono8"],
    "8UC3": _ENCODINGS["bgr8"],
    "16UC1": _ENCODINGS["mono16"],
    "uyvy": _ENCODINGS["yuv422"],
    "yuyv": _ENCODINGS["yuv422_yuy2"],
    "nv12": _Encoding(1, cv2.COLOR_YUV2RGB_NV12, chroma=(2, 2)),
    "nv21": _Encoding(1, cv2.COLOR_YUV2RGB_NV21, chroma=(2, 2)),
}


def image_to_rgb(msg: Image) -> ImageArray:
    """The picture in `msg` as contiguous RGB, uint8 (H, W, 3); dense `rgb8` is not copied.

    Reads mono, rgb(a), bgr(a) and Bayer of 8 and 16 bits, YUV 4:2:2 and 4:2:0, and of the nameless
    types 8UC1 and 16UC1 as grey, 8UC3 as BGR. 16 bits are scaled by 255 / 65535 and rounded. Rows
    may be padded (`step`), 16 bits may be big endian. cv_bridge converts where it is installed and
    able to: not the nameless types, rows padded by a part of a pixel, or foreign byte order.

    Raises MessageError for an unknown encoding, an image without pixels, a size that the chroma
    subsampling does not divide, a step shorter than a row, and data shorter than step * rows.
    """
    pixels = _pixels(msg)
    if CvBridge is not None and _fits_cv_bridge(msg):
        try:
            return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(msg, "rgb8"))
        except CvBridgeError as error:
            raise MessageError(f"cv_bridge cannot read {msg.encoding}: {error}") from error
    return _convert(pixels, _ENCODINGS[msg.encoding])


def _pixels(msg: Image) -> NDArray[Any]:
    """The checked data without padding, in native byte order, uint8 or uint16 (rows, W[, C])."""
    encoding = _ENCODINGS.get(msg.encoding)
    if encoding is None:
        raise MessageError(f"encoding must be one of {', '.join(_ENCODINGS)}, got {msg.encoding!r}")
    if msg.width == 0 or msg.height == 0:
        raise MessageError(f"image must have pixels, got {msg.width} x {msg.height}")
    chroma_width, chroma_height = encoding.chroma
    if msg.width % chroma_width or msg.height % chroma_height:
        raise MessageError(
            f"{msg.encoding} needs a width divisible by {chroma_width} and a height divisible by "
            f"{chroma_height}, got {msg.width} x {msg.height}"
        )
    row_bytes = msg.width * encoding.channels * encoding.bits // 8
    if msg.step < row_bytes:
        raise MessageError(
            f"step must be at least {row_bytes} for {msg.width} pixels of {msg.encoding}, "
            f"got {msg.step}"
        )
    rows = msg.height + (msg.height // 2 if chroma_height == 2 else 0)
    if len(msg.data) < msg.step * rows:
        raise MessageError(
            f"data must hold step * rows = {msg.step} * {rows} = {msg.step * rows} bytes, "
            f"got {len(msg.data)}"
        )
    data = np.frombuffer(msg.data, np.uint8, msg.step * rows).reshape(rows, msg.step)[:, :row_bytes]
    if encoding.bits == 16:
        data = data.view(">u2" if msg.is_bigendian else "<u2").astype(np.uint16, copy=False)
    shape = (rows, msg.width, encoding.channels)
    return np.ascontiguousarray(data).reshape(shape if encoding.channels > 1 else shape[:2])


def _convert(pixels: NDArray[Any], encoding: _Encoding) -> ImageArray:
    """RGB uint8 (H, W, 3) from (rows, W[, C]) in `encoding`: first the colour, then the depth."""
    rgb = pixels if encoding.code is None else cv2.cvtColor(pixels, encoding.code)
    return np.asarray(
        rgb if encoding.bits == 8 else cv2.convertScaleAbs(rgb, alpha=255 / 65535), np.uint8
    )


def _fits_cv_bridge(msg: Image) -> bool:
    """Whether cv_bridge reads `msg` right: whole pixels per step, native byte order."""
    if msg.encoding not in CV_BRIDGE_ENCODINGS:
        return False
    encoding = _ENCODINGS[msg.encoding]
    native = encoding.bits == 8 or bool(msg.is_bigendian) == (sys.byteorder == "big")
    return native and msg.step % (encoding.channels * encoding.bits // 8) == 0


def label_image(header: Header, labels: NDArray[np.uint16]) -> Image:
    """`~/instances`: labels uint16 (H, W) as mono16; 0 = no instance, k = `detections[k - 1]`."""
    return _image(header, "mono16", np.ascontiguousarray(labels, np.uint16))


def rgb_image(header: Header, rgb: ImageArray) -> Image:
    """`~/overlay`: RGB uint8 (H, W, 3) as rgb8."""
    return _image(header, "rgb8", np.ascontiguousarray(rgb, np.uint8))


def _image(header: Header, encoding: str, pixels: NDArray[Any]) -> Image:
    data = array("B")  # rclpy takes an array as it is; numpy or bytes it copies element by element
    data.frombytes(pixels.data.cast("B"))
    return Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=pixels.strides[0],
        data=data,
    )


def detections(header: Header, instances: Sequence[Instance]) -> Detection2DArray:
    """`~/detections`: one entry per instance, in the given order.

    The box (x, y, width, height) covers the pixels x .. x + width - 1, and pixel x reaches from x
    to x + 1, so that the published centre is x + width / 2: half integers for odd widths. The
    corners centre -+ size / 2 are integers again. `class_id` is the class index as a string, `id`
    stays empty, since nothing is tracked.
    """
    return Detection2DArray(header=header, detections=[_detection(header, i) for i in instances])


def _detection(header: Header, instance: Instance) -> Detection2D:
    x, y, width, height = instance.bbox
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = str(instance.class_id)
    result.hypothesis.score = float(instance.score)
    detection = Detection2D(header=header, results=[result])
    detection.bbox.center.position.x = x + width / 2
    detection.bbox.center.position.y = y + height / 2
    detection.bbox.size_x = float(width)
    detection.bbox.size_y = float(height)
    return detection


def label_info(header: Header, class_names: Sequence[str], threshold: float) -> LabelInfo:
    """`~/label_info`: the name of every class id, and the score that a detection at least has."""
    class_map = [VisionClass(class_id=i, class_name=name) for i, name in enumerate(class_names)]
    return LabelInfo(header=header, class_map=class_map, threshold=float(threshold))


def diagnostics(
    stamp: Time, name: str, level: int, message: str, values: Mapping[str, object]
) -> DiagnosticArray:
    """`/diagnostics`: one status with `values` as text; level 0 = ok, 1 = warning, 2 = error."""
    status = DiagnosticStatus(name=name, level=bytes([level]), message=message)
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def parameter_descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    """Of a configuration field: its description, range and choices; read-only unless `live`."""
    descriptor = ParameterDescriptor(
        description=field.metadata["description"],
        read_only=not field.metadata.get("live", False),
    )
    if "choices" in field.metadata:
        choices = ", ".join(str(choice) for choice in field.metadata["choices"])
        descriptor.additional_constraints = f"one of: {choices}"
    if "range" in field.metadata:
        low, high = field.metadata["range"]
        if isinstance(field.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor
