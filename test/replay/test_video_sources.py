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

"""Videos as sources: their frames and times; one without pictures says so in one line."""

import struct

import cv2
import numpy as np
import pytest

from ssap_ros.errors import InputError
from ssap_ros.replay.sources import open_source
from ssap_ros.replay.video_clock import VideoClock
from support.source_frames import FRAMES, check_source
from support.video_files import jpeg, write_matroska


def write_video(path):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MJPG")
    for frame in FRAMES:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_video(tmp_path):
    source = open_source(str(write_video(tmp_path / "video.avi")))
    assert source.fps == pytest.approx(12.0)
    stamps = check_source(source, tolerance=6)
    np.testing.assert_allclose(np.diff(stamps), 1e9 / 12, atol=1)


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
