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

"""Bags as sources: their topics, stamps and parts; a bad one says why in one line."""

import cv2
import numpy as np
import pytest

from ssap_ros.errors import InputError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.sources import bag_of, open_source
from support.bag_files import DETECTIONS, IMAGE, INSTANCES, START, painted_frame, write_painted_bag
from support.source_frames import FRAMES, check_source, write_folder


def write_bag(path, kind="Image", storage="MCAP", topic="/camera/image_raw"):
    pytest.importorskip("rosbags")
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.LATEST)
    types = store.types
    name = f"sensor_msgs/msg/{kind}"
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage]) as writer:
        connection = writer.add_connection(topic, name, typestore=store)
        for i, frame in enumerate(FRAMES):
            stamp = types["builtin_interfaces/msg/Time"](sec=100 + i, nanosec=7)
            header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
            if kind == "Image":
                message = types[name](
                    header, 48, 64, "bgr8", 0, 192, frame[..., ::-1].ravel()
                )  # fmt: skip
            elif kind == "CompressedImage":
                data = cv2.imencode(".png", frame[..., ::-1])[1].ravel()
                message = types[name](header, "png", data)
            else:
                message = types[name](header, 1.0, 0.0)
            writer.write(connection, i * 100_000_000, store.serialize_cdr(message, name))
    return path


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
@pytest.mark.parametrize("kind", ["Image", "CompressedImage"])
def test_bag(tmp_path, kind, storage):
    pytest.importorskip("sensor_msgs")
    bag = write_bag(tmp_path / "bag", kind, storage)
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    for path in (bag, file):
        source = open_source(str(path))
        stamps = check_source(source)
        assert stamps[1] == 101_000_000_007
        assert source.n_frames == len(FRAMES)
        assert "/camera/image_raw" in source.name


def test_bag_without_images_says_what_it_holds(tmp_path):
    bag = write_bag(tmp_path / "bag", "FluidPressure", topic="/pressure")
    with pytest.raises(InputError, match="/pressure"):
        open_source(str(bag))


def test_truncated_bag(tmp_path):
    """What can be read of it is read, and the source says that it is not all."""
    pytest.importorskip("sensor_msgs")
    make_reader = pytest.importorskip("mcap.reader").make_reader
    good = write_painted_bag(tmp_path / "good.mcap", 12)
    with good.open("rb") as stream:
        second = make_reader(stream).get_summary().chunk_indexes[1].chunk_start_offset
    file = tmp_path / "cut.mcap"
    file.write_bytes(good.read_bytes()[: second + 20])
    source = open_source(str(file))
    assert 0 < len(list(source)) < 12
    assert source.damage
    file.write_bytes(b"\x89MCAP0\r\n")
    with pytest.raises(InputError, match=r"not a ROS 2 bag: .*cut\.mcap"):
        open_source(str(file))


def test_several_topics_in_the_order_of_recording(tmp_path):
    pytest.importorskip("sensor_msgs")
    bag = write_painted_bag(tmp_path / "bag.mcap", 3)
    source = open_source(str(bag), None, [INSTANCES, IMAGE])
    assert source.cameras == (INSTANCES, IMAGE)
    assert [frame.camera for frame in source] == [1, 0] * 3
    with pytest.raises(InputError, match="choose one by --topic: /camera/gt/instances"):
        open_source(str(bag), not_topics=[IMAGE])
    for topics, words in (
        (["/nowhere"], "no topic /nowhere"),
        ([DETECTIONS], "must be"),
        ([IMAGE, IMAGE], "different topics"),
    ):
        with pytest.raises(InputError, match=words):
            open_source(str(bag), None, topics)
    with pytest.raises(InputError, match="is no bag"):
        open_source("scenes", 1, [IMAGE])


def test_image_messages_travel_as_they_are(tmp_path):
    """Encodings may alternate; one that nobody reads costs its frames, with the reason."""
    pytest.importorskip("sensor_msgs")
    bag = write_painted_bag(tmp_path / "bag.mcap", 6, encodings=("bgr8", "mono8", "secret"))
    source = open_source(str(bag))
    frames = list(source)
    assert [frame.msg.encoding for frame in frames] == ["bgr8", "mono8"] * 2
    assert source.skipped == 2
    assert "secret" in source.damage[0]
    np.testing.assert_array_equal(frames[0].rgb(), painted_frame(0)[0])
    np.testing.assert_array_equal(frames[1].rgb()[..., 1], painted_frame(1)[0][..., 0])


def test_stamps_that_no_message_can_have_cost_their_frames(tmp_path):
    """Before 1970, after 2038, and by nanoseconds that carry it there; the last second is one."""
    pytest.importorskip("sensor_msgs")
    end = (1 << 31) * 1_000_000_000
    bag = write_painted_bag(tmp_path / "bag.mcap", 5, [-1, START, end - 1, -START, START + 1])
    source = open_source(str(bag))
    assert [frame.stamp for frame in source] == [START, end - 1, START + 1]
    assert source.skipped == 2
    assert "stamp" in source.damage[0]
    late = tmp_path / "late.mcap"
    with BagWriter(late) as writer:
        writer.add_topic(IMAGE, messages.IMAGE)
        pixels = painted_frame(0)[0]
        writer.write(IMAGE, START, messages.image(messages.header(5, ""), "rgb8", pixels))
        writer.write(IMAGE, 1 << 63, messages.image(messages.header(0, ""), "rgb8", pixels))
        over = messages.image(messages.header(end - 1, ""), "rgb8", pixels)
        over.header.stamp.nanosec = (1 << 32) - 1
        writer.write(IMAGE, START, over)
    source = open_source(str(late))
    assert [frame.stamp for frame in source] == [5]
    assert source.skipped == 2


def test_a_camera_without_messages_is_reported(tmp_path):
    pytest.importorskip("sensor_msgs")
    path = tmp_path / "bag.mcap"
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE, messages.IMAGE)
        bag.add_topic(INSTANCES, messages.IMAGE)
        head = messages.header(START, "")
        bag.write(IMAGE, START, messages.image(head, "rgb8", painted_frame(0)[0]))
    assert open_source(str(path), None, [IMAGE]).damage == []
    assert open_source(str(path), None, [IMAGE, INSTANCES]).damage == [
        f"{INSTANCES} holds no messages"
    ]


def test_a_folder_with_a_single_bag_is_that_bag(tmp_path):
    """As a recorder leaves it that was killed: without metadata."""
    pytest.importorskip("sensor_msgs")
    bag = write_painted_bag(tmp_path / "drive" / "drive_0.mcap", 2)
    assert bag_of(str(tmp_path / "drive")) == bag_of(str(bag)) == bag
    assert len(list(open_source(str(tmp_path / "drive")))) == 2
    write_painted_bag(tmp_path / "drive" / "other.mcap", 2)
    assert bag_of(str(tmp_path / "drive")) is None
    with pytest.raises(InputError, match=r"holds 2 bags; name one of them, such as .*drive_0"):
        open_source(str(tmp_path / "drive"))
    assert bag_of("scenes:3") is None
    assert bag_of(str(write_folder(tmp_path / "images"))) is None


def test_a_split_bag_without_metadata_is_one_bag(tmp_path):
    pytest.importorskip("sensor_msgs")
    drive = tmp_path / "drives" / "drive"
    drive.mkdir(parents=True)
    for k in range(11):  # 10 comes after 9
        stamps = [START + (k * 2 + i) * 10**9 for i in range(2)]
        write_painted_bag(drive / f"drive_{k}.mcap", 2, stamps)
    assert bag_of(str(drive)) == bag_of(str(drive.parent)) == drive
    stamps = [frame.stamp for frame in open_source(str(drive))]
    assert stamps == sorted(stamps)
    assert len(stamps) == 22
    (drive / "drive_3.mcap").unlink()
    assert bag_of(str(drive)) is None


def test_stamps_that_are_all_zero_with_their_truth(tmp_path):
    from ssap_ros.replay.bags.ground_truth import GroundTruth

    bag = write_painted_bag(tmp_path / "bag.mcap", 3, stamps=[0, 0, 0])
    frames = list(open_source(str(bag)))
    assert [frame.stamp for frame in frames] == [frame.logged for frame in frames]
    classes = {0: "background", 1: "person", 3: "car"}
    with GroundTruth(bag, INSTANCES, DETECTIONS, classes) as truth:
        assert all(truth.at(frame.stamp) is not None for frame in frames)
