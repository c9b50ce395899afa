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

"""Images, folders and scenes as sources, in order; bad ones say why in one line."""

import struct

import cv2
import numpy as np
import pytest

from ssap_ros.errors import InputError
from ssap_ros.replay.sources import open_source
from support.source_frames import FRAMES, check_source, write_folder


def test_image_folder(tmp_path):
    (write_folder(tmp_path / "images") / "notes.txt").write_text("not an image")
    check_source(open_source(str(tmp_path / "images")))


def test_single_image(tmp_path):
    source = open_source(str(write_folder(tmp_path / "images") / "002.png"))
    (frame,) = source
    np.testing.assert_array_equal(frame.rgb(), FRAMES[2])


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
