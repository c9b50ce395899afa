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

"""Bags: what is written is read, by others too; damage ends in an error or is reported."""

import numpy as np
import pytest

from ssap_ros.errors import InputError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.ground_truth import GroundTruth
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.reader import BagReader, find_bags
from ssap_ros.replay.bags.writer import BagWriter
from support.bag_files import (
    DETECTIONS,
    IMAGE,
    INSTANCES,
    LABEL_INFO,
    START,
    STEP,
    break_bag,
    damage_sqlite,
    painted_frame,
    to_folder,
    write_painted_bag,
)

N_FRAMES = 5
CLASSES = {0: "background", 1: "person", 3: "car"}
# RIHS01 hashes of vision_msgs 4 as its own generator computes them
HASHES = {
    messages.DETECTIONS: "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    messages.LABEL_INFO: "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_painted_bag(tmp_path_factory.mktemp("bags") / "good.mcap", N_FRAMES)


def read_all(path, topics=(IMAGE, INSTANCES, DETECTIONS)):
    """All messages, decoded, and what the reader says of damage; ValueError counts as damage."""
    with BagReader(path) as reader:
        for topic in topics:
            reader.require(topic, messages.IMAGE, messages.DETECTIONS)
        found, damaged = [], []
        for message in reader.messages(topics):
            try:
                found.append((*message, reader.decode(message)))
            except InputError:
                raise
            except ValueError as error:
                damaged.append(str(error))
        return found, [*reader.damage, *damaged]


def same(a, b):
    return [entry[:3] for entry in a] == [entry[:3] for entry in b]


@pytest.mark.parametrize("msgtype", HASHES)
def test_definitions_are_those_of_vision_msgs(msgtype):
    assert messages.standard_types().hash_rihs01(msgtype) == f"RIHS01_{HASHES[msgtype]}"


def test_what_is_written_is_read(good):
    found, damage = read_all(good)
    assert damage == []
    assert len(found) == 3 * N_FRAMES
    for number in range(N_FRAMES):
        rgb, labels, entries = painted_frame(number)
        image, instances, boxes = (entry[3] for entry in found[3 * number : 3 * number + 3])
        assert messages.stamp_of(image) == START + number * STEP
        np.testing.assert_array_equal(np.asarray(image.data).reshape(rgb.shape), rgb)
        np.testing.assert_array_equal(messages.read_labels(instances), labels)
        assert messages.read_detections(boxes) == entries
        assert messages.stamp_of_raw(messages.encode(boxes)) == messages.stamp_of(boxes)


def test_equal_messages_make_equal_files(good, tmp_path):
    again = write_painted_bag(tmp_path / "again.mcap", N_FRAMES)
    assert again.read_bytes() == good.read_bytes()


def test_others_read_what_is_written(good):
    """The mcap library with all checksums, and rosbags with the definitions inside."""
    from mcap.reader import make_reader
    from rosbags.highlevel import AnyReader

    with good.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary.statistics.message_count == 3 * N_FRAMES + 1
        assert len(list(reader.iter_messages())) == 3 * N_FRAMES + 1
        latched = {c.topic for c in summary.channels.values() if "offered_qos" in str(c.metadata)}
        assert latched == {LABEL_INFO}
    with AnyReader([good]) as reader:
        assert {c.topic for c in reader.connections} == {IMAGE, INSTANCES, DETECTIONS, LABEL_INFO}
        (info,) = [c for c in reader.connections if c.topic == LABEL_INFO]
        assert [qos.durability.name for qos in info.ext.offered_qos_profiles] == ["TRANSIENT_LOCAL"]
        ((_, _, raw),) = reader.messages([info])
        names = messages.read_label_info(reader.deserialize(raw, info.msgtype))
        assert names[1] == "person"


@pytest.mark.parametrize("compression", ["NONE", "FILE", "MESSAGE"])
def test_sqlite(good, tmp_path, compression):
    folder = to_folder(good, tmp_path / "bag", compression=compression)
    assert same(read_all(folder)[0], read_all(good)[0])


def test_message_of_the_bags_own_definition(tmp_path):
    """Types that nobody knows, and definitions that nobody can read, of topics beside ours."""
    from mcap.writer import Writer

    path = tmp_path / "own.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        for name, text in (("my_msgs/msg/Weird", "%$ garbage"), ("my_msgs/msg/Own", "int32 a")):
            schema = writer.register_schema(name, "ros2msg", text.encode())
            channel = writer.register_channel(f"/{name}", "cdr", schema)
            writer.add_message(channel, 5, b"\0\1\0\0\7\0\0\0", 5)
        writer.finish()
    with BagReader(path) as reader:
        (message,) = reader.messages(["/my_msgs/msg/Own"])
        assert reader.decode(message).a == 7
        (message,) = reader.messages(["/my_msgs/msg/Weird"])
        with pytest.raises(InputError, match="is invalid"):
            reader.decode(message)


def test_definitions_missing_in_the_bag(good, tmp_path):
    """The standard messages are known; others are named."""
    from mcap.reader import make_reader
    from mcap.writer import Writer

    path = tmp_path / "bare.mcap"
    with good.open("rb") as source, path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        channels = {}
        for schema, channel, message in make_reader(source).iter_messages():
            if channel.topic not in channels:
                number = writer.register_schema(schema.name, "", b"")
                channels[channel.topic] = writer.register_channel(channel.topic, "cdr", number)
            writer.add_message(channels[channel.topic], message.log_time, message.data, 0)
        other = writer.register_channel("/x", "cdr", writer.register_schema("a/msg/X", "", b""))
        writer.add_message(other, START, b"\0\1\0\0", 0)
        writer.finish()
    assert same(read_all(path)[0], read_all(good)[0])
    with BagReader(path) as reader:
        (message,) = reader.messages(["/x"])
        with pytest.raises(InputError, match="no definition of a/msg/X"):
            reader.decode(message)


def test_unknown_topic_and_wrong_type(good):
    with BagReader(good) as reader:
        with pytest.raises(InputError, match=r"no topic /nowhere .* /camera/image"):
            reader.require("/nowhere", messages.IMAGE)
        with pytest.raises(InputError, match=r"must be .*Image, got .*Detection2DArray"):
            reader.require(DETECTIONS, messages.IMAGE)


def test_bag_without_an_index(good, tmp_path):
    """Written by a recorder that was killed."""
    data = good.read_bytes()
    path = tmp_path / "unindexed.mcap"
    path.write_bytes(data[: data.rindex(b"\x0f\x04\x00\x00\x00\x00\x00\x00\x00")])  # data end
    found, damage = read_all(path)
    assert same(found, read_all(good)[0])
    assert any("without an index" in line for line in damage)


def test_cut_bag_in_its_folder(good, tmp_path):
    """The folder's metadata promises what the file does not hold; or is nonsense itself."""
    folder = to_folder(good, tmp_path / "bag", "MCAP")
    (file,) = folder.glob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    found, damage = read_all(folder)
    assert same(found, read_all(good)[0])
    assert "truncated" in damage[0]
    file.write_bytes(whole)
    (folder / "metadata.yaml").write_text("nonsense: [")
    found, damage = read_all(folder)
    assert same(found, read_all(good)[0])
    assert not damage  # the file is whole
    file.unlink()
    with pytest.raises(InputError, match="not a ROS 2 bag"):
        BagReader(folder)


def test_flipped_pixel_is_noticed(good, tmp_path):
    """A chunk has a checksum, so that no damaged pixel passes for a good one."""
    data = bytearray(good.read_bytes())
    data[len(data) // 3] ^= 4
    path = tmp_path / "flipped.mcap"
    path.write_bytes(data)
    _, damage = read_all(path)
    assert damage


@pytest.mark.parametrize("seed", range(60))
def test_broken_bags(good, tmp_path, seed):
    """Truncated, flipped, wrong schema: an error in one line, reported damage, or no harm."""
    path = tmp_path / "broken.mcap"
    break_bag(good, path, seed)
    try:
        found, damage = read_all(path)
        with GroundTruth(path, INSTANCES, None, CLASSES) as truth:
            for number in range(N_FRAMES):
                truth.at(START + number * STEP)
            damage = [*damage, *truth.damage]
    except InputError:
        return
    assert damage or same(found, read_all(good)[0])


@pytest.mark.parametrize("seed", range(10))
def test_broken_sqlite(good, tmp_path, seed):
    folder = to_folder(good, tmp_path / "bag")
    (file,) = folder.glob("*.db3")
    damage_sqlite(file, seed)
    try:
        found, damage = read_all(folder)
    except InputError:
        return
    assert damage or len(found) == 3 * N_FRAMES  # SQLite has no checksums


def test_bag_appears_when_it_is_whole(tmp_path):
    def interrupted():
        with BagWriter(tmp_path / "new.mcap") as bag:
            bag.add_topic(IMAGE, messages.IMAGE)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        BagWriter(tmp_path / "file" / "x.mcap")


def test_bags_of_a_folder(good, tmp_path):
    to_folder(good, tmp_path / "b" / "bag")
    for name in ("z.mcap", "a.mcap"):
        (tmp_path / name).write_bytes(good.read_bytes())
    found = [bag.relative_to(tmp_path).as_posix() for bag in find_bags(tmp_path)]
    assert found == ["a.mcap", "b/bag", "z.mcap"]


def test_detection_without_a_hypothesis():
    msg = messages.detections(messages.header(0, ""), [Detection("1", 1.0, (0.0, 0.0, 1.0, 1.0))])
    msg.detections[0].results.clear()
    with pytest.raises(ValueError, match="hypothesis"):
        messages.read_detections(msg)


def test_labels_padded_and_big_endian():
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 300
    msg = messages.image(messages.header(0, ""), "mono16", labels)
    padded = np.zeros((3, 11), np.uint8)
    padded[:, :8] = labels.astype(">u2").view(np.uint8)
    msg.data, msg.step, msg.is_bigendian = padded.ravel(), 11, 1
    np.testing.assert_array_equal(messages.read_labels(msg), labels)
    msg.encoding = "mono8"
    with pytest.raises(ValueError, match="mono16"):
        messages.read_labels(msg)
