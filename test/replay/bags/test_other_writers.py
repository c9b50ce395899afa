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

# ruff: noqa: E501
"""Bags that others wrote, edited or cut off are read as far as they are sound."""

import re
import shutil

import numpy as np
import pytest
import zstandard

pytest.importorskip("rosbags")

from mcap.writer import Writer

from ssap_ros.errors import InputError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.camera_topics import choose_camera
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.sources import open_source
from support.bag_files import to_folder, write_painted_bag

N = 4
PIXELS = np.full((6, 8, 3), 90, np.uint8)
TEXT = messages.standard_types().generate_msgdef(messages.IMAGE, ros_version=2)[0]
HEADER_TEXT = messages.standard_types().generate_msgdef("std_msgs/msg/Header", ros_version=2)[0]


def image(k, encoding="rgb8", pixels=PIXELS):
    return messages.encode(messages.image(messages.header(10 + k, "camera"), encoding, pixels))


def packed(k, form):
    data = np.zeros(4, np.uint8)
    return messages.encode(messages.compressed_image(messages.header(10 + k, "c"), form, data))


def write(path, channels, profile="ros2", **options):
    """channels: (topic, type, definition, its encoding, message encoding, message of k)."""
    with path.open("wb") as file:
        writer = Writer(file, **options)
        writer.start(profile=profile)
        for topic, kind, text, how, encoding, make in channels:
            schema = writer.register_schema(kind, how, text.encode()) if kind else 0
            number = writer.register_channel(topic, encoding, schema)
            for k in range(N):
                writer.add_message(number, 10 + k, make(k), 0)
        writer.finish()
    return path


def ours(text=TEXT, kind=messages.IMAGE, topic="/image", how="ros2msg"):
    return (topic, kind, text, how, "cdr", image)


def read(path, topic="/image"):
    with BagReader(path) as reader:
        found = [reader.decode(message) for message in reader.messages([topic])]
        assert reader.damage == []
        return found


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT + "\n\n",
        "\ufeff" + re.sub(r"^(\S+) (\w+)", r"\1\t\2", TEXT, flags=re.M).replace("MSG:\t", "MSG: "),
        TEXT.split("=" * 80)[0],
        TEXT.split("=" * 80)[0] + "=" * 80 + "\nMSG: std_msgs/Header\n" + HEADER_TEXT.split("=")[0],
        "",
        " \n",
    ],
    ids=["dos", "mac", "blank lines", "tabs", "alone", "header alone", "none", "blank"],
)
def test_definitions(tmp_path, text):
    found = read(write(tmp_path / "bag.mcap", [ours(text)]))
    assert [int(msg.header.stamp.nanosec) for msg in found] == [10, 11, 12, 13]


@pytest.mark.parametrize("profile", ["", "ros2", "own"])
@pytest.mark.parametrize(
    "options",
    [
        {"use_statistics": False},
        {"use_summary_offsets": False},
        {"repeat_channels": False},
        {"repeat_schemas": False},
        {"use_chunking": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_minimal_summaries_are_no_damage(tmp_path, profile, options):
    if "repeat_channels" in options:
        options = {**options, "repeat_schemas": False}
    assert len(read(write(tmp_path / "bag.mcap", [ours()], profile, **options))) == N


def test_channels_of_other_encodings(tmp_path):
    others = [
        ("/json", "Pose", "{}", "jsonschema", "json", lambda _k: b"{}"),
        ("/proto", "foxglove.CompressedImage", "\1", "protobuf", "protobuf", lambda _k: b"\1"),
        ("/ros1", "sensor_msgs/Image", TEXT, "ros1msg", "ros1", lambda _k: b"\1"),
        ("/bare", "", "", "", "json", lambda _k: b"{}"),
        ("/image", "Pose", "{}", "jsonschema", "json", lambda _k: b"{}"),
    ]
    path = write(tmp_path / "bag.mcap", [*others, ours()])
    assert len(read(path)) == N
    with BagReader(path) as reader:
        assert reader.topics_of(messages.IMAGE) == ["/image"]
        with pytest.raises(InputError, match=r"got foxglove.CompressedImage \(protobuf\)"):
            reader.require("/proto", messages.IMAGE)


def test_short_type_names(tmp_path):
    assert len(read(write(tmp_path / "bag.mcap", [ours(kind="sensor_msgs/Image")]))) == N


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(r"offered_qos_profiles:.*\n(?:      (?:-|  ).*\n)*", r"offered_qos_profiles: ''\n", text),
        lambda text: text.replace("offered_qos_profiles: []", "offered_qos_profiles: '- history: 77'"),
        lambda text: text.replace("version: 9", "version: 4"),
        lambda text: text.replace("version: 9", "version: 99"),
        lambda text: text[: len(text) // 2],
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("- bag", "- /home/robot/bag"),
        lambda text: text.replace("- bag", "- C:\\bags\\bag"),
        lambda text: re.sub(r"message_count: \d+", "message_count: 1", text),
        lambda text: re.sub(r"storage_identifier: \w+", "storage_identifier: own", text),
        lambda _text: "",
        lambda _text: "[1, 2",
        lambda _text: "\0\1",
        lambda _text: None,
    ],
)  # fmt: skip
def test_metadata_does_not_decide(tmp_path, storage, change):
    bag = to_folder(write_painted_bag(tmp_path / "good.mcap", N), tmp_path / "bag", storage)
    text = change((bag / "metadata.yaml").read_text())
    if text is None:
        (bag / "metadata.yaml").unlink()
    else:
        (bag / "metadata.yaml").write_text(text)
    assert len(read(bag, "/camera/image")) == N


def test_split_bag_whose_last_file_is_cut(tmp_path):
    folder = tmp_path / "bag"
    folder.mkdir()
    for k in (0, 1, 10):
        write(folder / f"bag_{k}.mcap", [ours()], chunk_size=100)
    data = (folder / "bag_10.mcap").read_bytes()
    (folder / "bag_10.mcap").write_bytes(data[: len(data) // 3])
    (folder / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  relative_file_paths: [bag_0.mcap, bag_1.mcap, bag_10.mcap]\n"
    )
    with BagReader(folder) as reader:
        found = list(reader.messages(["/image"]))
        assert 2 * N <= len(found) < 3 * N
        assert reader.damage
        assert all("bag_10.mcap" in line for line in reader.damage)
    (folder / "bag_1.mcap").unlink()
    with BagReader(folder) as reader:
        assert "the file bag_1.mcap is missing" in reader.damage
        assert len(list(reader.messages(["/image"]))) >= N


@pytest.mark.parametrize("name", ["DRIVE.MCAP", "drive.mcap.zst", "Drive.Mcap.ZSTD", "ünï.mcap"])
def test_names_of_files(tmp_path, name):
    data = write_painted_bag(tmp_path / "good.mcap", N).read_bytes()
    packed_too = name.lower().endswith(("zst", "zstd"))
    path = tmp_path / "other" / name
    path.parent.mkdir()
    path.write_bytes(zstandard.compress(data) if packed_too else data)
    (tmp_path / "link").symlink_to(path.parent)
    for given in (path, path.parent, tmp_path / "link"):
        assert len(list(open_source(str(given)))) == N


def test_ros_1_bags_are_distinguished_from_videos(tmp_path):
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(100))
    with pytest.raises(InputError, match=r"expected a bag of ROS 2, .*old.bag is of ROS 1"):
        open_source(str(tmp_path / "old.bag"))


def test_compressed_database(tmp_path):
    bag = to_folder(
        write_painted_bag(tmp_path / "good.mcap", N), tmp_path / "bag", compression="FILE"
    )
    (bag / "metadata.yaml").unlink()
    assert len(read(bag, "/camera/image")) == N
    shutil.rmtree(bag)
    with pytest.raises(InputError):
        BagReader(bag)


def topic(name, encoding="rgb8"):
    if encoding.startswith(("jpeg", "png", "16UC1;", "rgb8;", "bayer_rggb8;", "32FC1;")):
        kind = messages.COMPRESSED_IMAGE
        return (name, kind, "", "", "cdr", lambda k: packed(k, encoding))
    return (name, messages.IMAGE, TEXT, "ros2msg", "cdr", lambda k: image(k, encoding))


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ([topic("/depth/image", "16UC1"), topic("/color/image")], "/color/image"),
        ([topic("/depth/image/compressedDepth", "16UC1; compressedDepth png"), topic("/a/image")], "/a/image"),
        ([topic("/aligned_depth_to_color/image", "16UC1"), topic("/color/image", "yuv422_yuy2")], "/color/image"),
        ([topic("/ssap/instances", "mono16"), topic("/ssap/overlay"), topic("/a/image")], "/a/image"),
        ([topic("/ssap/overlay/compressed", "jpeg"), topic("/a/image", "bayer_rggb8")], "/a/image"),
        ([topic("/infra1/image", "mono8"), topic("/color/image", "bgr8")], "/color/image"),
        ([topic("/left/image", "rgb8"), topic("/depth/image_colored", "rgb8")], "/left/image"),
        ([topic("/a/image/compressed", "rgb8; jpeg compressed bgr8"), topic("/a/image")], "/a/image"),
        ([topic("/disparity", "32FC1"), topic("/thermal/image", "mono16")], "/thermal/image"),
        ([topic("/mask", "mono8"), topic("/a/image", "mono8")], "/a/image"),
        ([topic("/a/image_rect"), topic("/a/image_rect_color")], "/a/image_rect_color"),
        ([topic("/only", "mono16")], "/only"),
    ],
)  # fmt: skip
def test_camera_is_chosen(tmp_path, topics, expected):
    with BagReader(write(tmp_path / "bag.mcap", topics)) as reader:
        chosen, others = choose_camera(reader)
        assert chosen == expected
        assert sorted([chosen, *others]) == sorted(name for name, *_ in topics)


@pytest.mark.parametrize(
    ("topics", "words"),
    [
        ([topic("/front/image"), topic("/rear/image")], "may be the camera.*--topic: /front/image, /rear/image"),
        ([topic("/depth/image", "16UC1")], r"none of the image topics.*--topic: /depth/image \(16UC1\)"),
        ([ours("%$")], r"/image \(cannot be read: the definition of sensor_msgs/msg/Image .* invalid"),
        ([(*ours()[:5], lambda _k: b"")], r"/image \(cannot be read: not a sensor_msgs/msg/Image"),
        ([topic("/ssap/instances", "mono16")], "none of the image topics"),
        ([topic("/a", "32FC1")], "none of the image topics"),
    ],
)  # fmt: skip
def test_camera_that_cannot_be_chosen(tmp_path, topics, words):
    with (
        BagReader(write(tmp_path / "bag.mcap", topics)) as reader,
        pytest.raises(InputError, match=words),
    ):
        choose_camera(reader)


def test_transport_decides(tmp_path):
    topics = [topic("/a/image"), topic("/a/image/compressed", "jpeg")]
    with BagReader(write(tmp_path / "bag.mcap", topics)) as reader:
        assert choose_camera(reader, transport="compressed")[0] == "/a/image/compressed"
        assert choose_camera(reader, transport="raw")[0] == "/a/image"
        with pytest.raises(InputError, match="no topic with compressed images"):
            choose_camera(reader, ["/a/image/compressed"], "compressed")
