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

"""Sources give the frames that were put in, in order; bad ones say why in one line."""

import struct

import cv2
import numpy as np
import pytest

from ssap_ros.errors import InputError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.sources import bag_of, open_source
from ssap_ros.replay.video_clock import VideoClock
from support.bag_files import DETECTIONS, IMAGE, INSTANCES, START, painted_frame, write_painted_bag
from support.video_files import jpeg, write_matroska

FRAMES = [np.full((48, 64, 3), (20 * i, 100, 255 - 20 * i), np.uint8) for i in range(6)]


def write_folder(folder, suffix=".png"):
    folder.mkdir(exist_ok=True)
    for i, frame in enumerate(FRAMES):
        cv2.imwrite(str(folder / f"{i:03d}{suffix}"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return folder


def write_video(path):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MJPG")
    for frame in FRAMES:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


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


def check(source, tolerance=0):
    frames = list(source)
    assert len(frames) == len(FRAMES)
    assert source.skipped == 0
    assert [frame.index for frame in frames] == list(range(len(FRAMES)))
    stamps = [frame.stamp for frame in frames]
    assert stamps == sorted(set(stamps))
    for frame, truth in zip(frames, FRAMES, strict=True):
        image = frame.rgb()
        assert frame.size == truth.shape[:2]
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        np.testing.assert_allclose(image.astype(int), truth, atol=tolerance)
    return stamps


def test_image_folder(tmp_path):
    (write_folder(tmp_path / "images") / "notes.txt").write_text("not an image")
    check(open_source(str(tmp_path / "images")))


def test_single_image(tmp_path):
    source = open_source(str(write_folder(tmp_path / "images") / "002.png"))
    (frame,) = source
    np.testing.assert_array_equal(frame.rgb(), FRAMES[2])


def test_video(tmp_path):
    source = open_source(str(write_video(tmp_path / "video.avi")))
    assert source.fps == pytest.approx(12.0)
    stamps = check(source, tolerance=6)
    np.testing.assert_allclose(np.diff(stamps), 1e9 / 12, atol=1)


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
@pytest.mark.parametrize("kind", ["Image", "CompressedImage"])
def test_bag(tmp_path, kind, storage):
    pytest.importorskip("sensor_msgs")
    bag = write_bag(tmp_path / "bag", kind, storage)
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    for path in (bag, file):
        source = open_source(str(path))
        stamps = check(source)
        assert stamps[1] == 101_000_000_007
        assert source.n_frames == len(FRAMES)
        assert "/camera/image_raw" in source.name


def test_bag_without_images_says_what_it_holds(tmp_path):
    bag = write_bag(tmp_path / "bag", "FluidPressure", topic="/pressure")
    with pytest.raises(InputError, match="/pressure"):
        open_source(str(bag))


def test_scenes():
    first, second = open_source("scenes:4", 2)
    assert (first.stamp, first.rgb().ndim) == (0, 3)
    assert second.stamp > 0
    assert not np.array_equal(first.rgb(), next(iter(open_source("scenes:5", 1))).rgb())


def test_max_frames(tmp_path):
    source = open_source(str(write_folder(tmp_path / "images")), 4)
    assert source.n_frames == 4
    assert len(list(source)) == 4


def test_broken_frames_are_skipped_and_counted(tmp_path):
    folder = write_folder(tmp_path / "images")
    (folder / "001.png").write_bytes(b"no image")
    (folder / "004.png").write_bytes((folder / "003.png").read_bytes()[:40])
    source = open_source(str(folder))
    assert len(list(source)) == len(FRAMES) - 2
    assert source.skipped == 2
    assert ["001.png" in source.damage[0], "004.png" in source.damage[1]] == [True, True]


@pytest.mark.parametrize("name", ["text.mcap", "text.db3", "text.avi", "text.mp4", "text.png"])
def test_text_in_disguise(tmp_path, name):
    path = tmp_path / name
    path.write_text("This is no recording.\n" * 200)
    with pytest.raises(InputError, match=name) as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)


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


def test_missing_path():
    with pytest.raises(InputError, match="no such file"):
        open_source("/nowhere/video.mp4")


def test_empty_folder(tmp_path):
    with pytest.raises(InputError, match="no images"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(("spec", "frames"), [("scenes:four", None), ("scenes", 0)])
def test_bad_settings(spec, frames):
    with pytest.raises(InputError, match="expected"):
        open_source(spec, frames)


def test_times_of_a_video_are_the_containers():
    clock = VideoClock(10.0)
    times = [0.0, 40.0, 240.0, 250.0]
    assert [clock.stamp(k, ms) for k, ms in enumerate(times)] == [round(t * 1e6) for t in times]
    assert clock.made_up == 0
    clock = VideoClock(10.0)  # none, and some that stand still or jump
    stamps = [clock.stamp(k, ms) for k, ms in enumerate([0.0, 0.0, 0.0, float("nan"), 1e12])]
    assert stamps == [0, 100_000_000, 200_000_000, 300_000_000, 400_000_000]
    assert clock.made_up == 4


@pytest.mark.parametrize(
    ("times", "expected", "made_up"),
    [
        ([0, 40, 240, 250, 1000, 1010], [0, 40, 240, 250, 1000, 1010], 0),
        ([5000, 5040, 5100, 5200, 5300, 5400], [0, 40, 100, 200, 300, 400], 0),
        ([0, 40, 41, 42, 30000, 30001], [0, 40, 41, 42, 30000, 30001], 0),
        ([0] * 6, [0, 40, 80, 120, 160, 200], 5),
    ],
)
def test_variable_frame_rate(tmp_path, caplog, times, expected, made_up):
    path = write_matroska(tmp_path / "phone video ü.mkv", times, FRAMES)
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link"):
        caplog.clear()
        assert [frame.stamp for frame in open_source(str(name))] == [t * 10**6 for t in expected]
        assert (f"no times for {made_up} of its frames" in caplog.text) == (made_up > 0)


def test_a_stream_without_container_has_made_up_times(tmp_path, caplog):
    (tmp_path / "camera.mjpeg").write_bytes(b"".join(map(jpeg, FRAMES)))
    frames = list(open_source(str(tmp_path / "camera.mjpeg")))
    steps = np.diff([frame.stamp for frame in frames])
    assert len(frames) == len(FRAMES)
    assert (steps == steps[0]).all()
    assert steps[0] > 0
    assert f"no times for {len(FRAMES)} of its frames" in caplog.text


def test_odd_videos(tmp_path):
    one = write_matroska(tmp_path / "one.mkv", [0], FRAMES[:1])
    assert len(list(open_source(str(one)))) == 1
    changed = [FRAMES[0], cv2.resize(FRAMES[1], (32, 24)), FRAMES[2]]
    sizes = write_matroska(tmp_path / "sizes.mkv", [0, 40, 80], changed)
    assert {frame.size for frame in open_source(str(sizes))} == {(48, 64)}


@pytest.mark.parametrize("name", ["none", "codec", "sound", "cut", "empty", "playlist"])
def test_videos_without_pictures_are_one_line(tmp_path, capfd, name):
    path = tmp_path / f"{name}.avi"
    if name == "none":
        write_matroska(path, [], [])
    elif name == "codec":
        write_matroska(path, [0, 40], FRAMES[:2], codec=b"V_NONE")
    elif name == "sound":
        sizes = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
        path.write_bytes(b"RIFF\x24\x10\0\0WAVEfmt " + sizes + b"data\0\x10\0\0" + bytes(4096))
    elif name == "cut":
        path.write_bytes(write_video(path).read_bytes()[:500])
    elif name == "empty":
        path.touch()
    else:
        path.write_text("#EXTM3U\n#EXTINF:1\nfile:///etc/passwd\n")
    with pytest.raises(InputError, match=f"{name}.avi") as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == "", "nothing by the libraries"


def test_stamps_that_are_all_zero_with_their_truth(tmp_path):
    from ssap_ros.replay.bags.ground_truth import GroundTruth

    bag = write_painted_bag(tmp_path / "bag.mcap", 3, stamps=[0, 0, 0])
    frames = list(open_source(str(bag)))
    assert [frame.stamp for frame in frames] == [frame.logged for frame in frames]
    classes = {0: "background", 1: "person", 3: "car"}
    with GroundTruth(bag, INSTANCES, DETECTIONS, classes) as truth:
        assert all(truth.at(frame.stamp) is not None for frame in frames)


def test_photographs_stand_upright(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    data = cv2.imencode(".jpg", FRAMES[0])[1].tobytes()
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    (tmp_path / "a.jpg").write_bytes(data)
    assert next(iter(open_source(str(tmp_path)))).rgb().shape == (64, 48, 3)


def test_folder_called_scenes(tmp_path, monkeypatch):
    write_folder(tmp_path / "scenes")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"\./scenes for the folder, or scenes:0"):
        open_source("scenes")
    assert len(list(open_source("./scenes"))) == len(FRAMES)
