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

"""ssap predict: files in, files out; the labels come back as the masks that they were made of."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml
from pycocotools import mask as rle
from pycocotools.coco import COCO

from ssap_ros.config import SsapConfig
from ssap_ros.data.image_files import read_image
from ssap_ros.errors import InputError
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.prediction.formats import OutputOptions
from ssap_ros.prediction.predict import predict
from ssap_ros.training.sources import CocoSource
from support.tiny_sets import CAR, PERSON, SIZE, objects, write_image
from support.toy_model import CLASSES, THING_IDS, paint

BOXES = [(16, 24, 64, 96), (120, 40, 100, 80), (40, 140, 96, 40)]


@pytest.fixture
def folder(tmp_path):
    """Three pictures: objects, a frame around an object, nothing."""
    ring = objects([(32, 32, 160, 128), (80, 72, 48, 40)])
    for name, instances, classes in (
        ("a", objects(BOXES), [PERSON, CAR, CAR]),
        ("b", ring, [CAR, PERSON]),
        ("c", objects([]), []),
    ):
        write_image(tmp_path / f"in/{name}.png", paint(instances, classes))
    return tmp_path / "in"


@pytest.fixture
def config(toy_model_path):
    return SsapConfig(model_file_path=str(toy_model_path), backend="onnxruntime", num_threads=1)


def quiet(done, total=None, note=""):
    pass


def run(sources, out, config, **options):
    return predict([str(s) for s in sources], out, OutputOptions(**options), config, quiet)


def truth(file, config):
    return SsapPipeline.from_model(config.model_file_path, config)(read_image(file))


def masks(result):
    return [result.labels == k for k in range(1, len(result.instances) + 1)]


def same(found, expected):
    """Whether two sets of masks are the same in any order."""
    return sorted(m.tobytes() for m in found) == sorted(m.tobytes() for m in expected)


def test_masks(folder, tmp_path, config):
    counts = run([folder], tmp_path / "out", config)
    assert (counts.read, counts.written, counts.instances, counts.problems) == (3, 3, 5, [])
    dataset = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [image["file_name"] for image in dataset["images"]] == ["a.png", "b.png", "c.png"]
    for name, image in zip("abc", dataset["images"], strict=True):
        result = truth(folder / f"{name}.png", config)
        stored = cv2.imread(str(tmp_path / f"out/instances/{name}.png"), cv2.IMREAD_UNCHANGED)
        assert stored.dtype == np.uint16
        np.testing.assert_array_equal(stored, result.labels)
        overlay = read_image(tmp_path / f"out/overlays/{name}.jpg")
        changed = np.abs(overlay.astype(int) - read_image(folder / f"{name}.png")).max(axis=2) > 40
        assert changed[result.labels > 0].any() == bool(result.instances)
        entries = [a for a in dataset["annotations"] if a["image_id"] == image["id"]]
        for entry, instance in zip(entries, result.instances, strict=True):
            assert entry["category_id"] == instance.class_id
            assert entry["score"] == pytest.approx(instance.score, abs=1e-4)


@pytest.mark.parametrize("kind", ["rle", "polygons"])
def test_coco_labels_are_the_same_masks_for_pycocotools_and_for_training(
    folder, tmp_path, config, kind
):
    out = tmp_path / "out"
    run([folder], out, config, format="coco", masks=kind)
    coco = COCO(out / "annotations.json")
    source = CocoSource(out / "annotations.json", out / "images", CLASSES)
    names = [image["file_name"] for image in coco.dataset["images"]]
    assert names == ["a.png", "b.png", "c.png"]
    for index, name in enumerate(names):
        result = truth(folder / name, config)
        assert (out / "images" / name).read_bytes() == (folder / name).read_bytes()
        entries = coco.imgToAnns[coco.dataset["images"][index]["id"]]
        assert same([coco.annToMask(e).astype(bool) for e in entries], masks(result))
        assert [e["area"] for e in entries] == [int(m.sum()) for m in masks(result)]
        sample = source.sample(index, np.random.default_rng(0))
        found = [sample.instances == k for k in range(1, len(sample.class_ids))]
        if kind == "rle":
            assert same(found, masks(result))
        else:  # training draws polygons with their outline
            assert (sample.instances > 0)[result.labels > 0].all()
        assert sorted(sample.class_ids[1:]) == sorted(i.class_id for i in result.instances)


def test_yolo_labels_are_the_same_masks(folder, tmp_path, config):
    out = tmp_path / "out"
    run([folder], out, config, format="yolo")
    data = yaml.safe_load((out / "data.yaml").read_text())
    height, width = SIZE
    for name in "abc":
        result = truth(folder / f"{name}.png", config)
        assert (out / data["train"] / f"{name}.png").is_file()
        lines = (out / f"labels/{name}.txt").read_text().splitlines()
        for line, mask, instance in zip(lines, masks(result), result.instances, strict=True):
            number, *corners = line.split()
            assert data["names"][int(number)] == CLASSES[instance.class_id]
            points = np.reshape(np.array(corners, float), (-1, 2)) * (width, height)
            code = rle.merge(rle.frPyObjects([points.ravel().tolist()], height, width))
            np.testing.assert_array_equal(rle.decode(code).astype(bool), mask)
    assert data["names"] == {k: CLASSES[c] for k, c in enumerate(THING_IDS)}


def test_a_video_and_pictures_of_one_name(folder, tmp_path, config):
    video = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"FFV1"), 10, SIZE[::-1])
    image = cv2.imread(str(folder / "a.png"))
    for _ in range(5):
        writer.write(image)
    writer.release()
    out = tmp_path / "out"
    sources = [folder / "a.png", folder / "a.png", video]
    counts = run(sources, out, config, format="coco", every=2)
    assert counts.written == 5
    names = {file.stem for file in (out / "images").glob("*.png")}
    assert names == {"a", "a_2", "clip_000000", "clip_000002", "clip_000004"}
    coco = COCO(out / "annotations.json")
    counted = [len(coco.imgToAnns[image["id"]]) for image in coco.dataset["images"]]
    assert counted == [3] * 5


def test_only_uncertain_pictures(folder, tmp_path, config):
    unsure = paint(objects(BOXES), [PERSON, CAR, CAR], [255, 255, 30])
    write_image(folder / "d.png", unsure)
    counts = run([folder], tmp_path / "out", config, format="coco", uncertain=0.9)
    assert (counts.read, counts.written) == (4, 1)
    assert [file.name for file in (tmp_path / "out/images").glob("*.png")] == ["d.png"]


def test_a_second_run_replaces_the_first(folder, tmp_path, config):
    out = tmp_path / "out"
    run([folder], out, config)
    (folder / "a.png").unlink()
    run([folder], out, config)
    for outputs in ("overlays", "instances"):
        assert {f.stem for f in (out / outputs).iterdir() if f.suffix} == {"b", "c"}


def test_files_of_the_user_stay(folder, tmp_path, config):
    mine = tmp_path / "out/instances/holiday.png"
    write_image(mine, np.zeros(SIZE, np.uint8))
    before = mine.read_bytes()
    with pytest.raises(InputError, match=r"holiday\.png was not written by ssap"):
        run([folder], tmp_path / "out", config)
    assert mine.read_bytes() == before
    with pytest.raises(InputError, match="is the input"):
        run([folder], folder, config)


def test_a_damaged_picture_is_reported_and_the_others_done(folder, tmp_path, config):
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:-20])
    counts = run([folder], tmp_path / "out", config)
    assert counts.read == 2
    (problem,) = counts.problems
    assert "b.png" in problem


def command(*arguments):
    """The command, where nothing of ROS can be imported."""
    code = (
        "import sys\n"
        "for name in ('rclpy', 'sensor_msgs', 'vision_msgs', 'std_msgs'):\n"
        "    sys.modules[name] = None\n"
        "from ssap_ros.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )


def test_command_without_ros(folder, tmp_path, toy_model_path):
    out = tmp_path / "out"
    result = command("predict", folder, "--out", out, "--model", toy_model_path)
    assert result.returncode == 0, result.stderr
    assert f"{out}: 3 of 3 pictures, 5 instances" in result.stderr
    assert (out / "predictions.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.jpg"], "no such file or folder: none.jpg"),
        (["{in}", "--param", "tracking:=true"], "got 'tracking'"),
        (["{in}", "--param", "score_threshold:=2.0"], "score_threshold"),
        (["{in}", "--format", "yolo", "--masks", "polygons"], "polygons always"),
        (["{in}", "--uncertain", "0"], "above 0"),
    ],
)
def test_wrong_command_lines(folder, tmp_path, arguments, words):
    out = tmp_path / "out"
    arguments = [a.replace("{in}", str(folder)) for a in arguments]
    result = command("predict", *arguments, "--out", out)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert words in line
    assert not list(out.rglob("*.*"))


def test_the_overlays_of_a_video_are_a_video(config, tmp_path):
    file = tmp_path / "walk.avi"
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 8.0, SIZE[::-1])
    for k in range(6):
        picture = paint(objects([(16 + 8 * k, 24, 64, 96)]), [PERSON])
        video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    video.release()
    counts = run([file, file], tmp_path / "out", config, every=2)
    assert (counts.read, counts.problems) == (6, [])
    overlays = sorted(path.name for path in (tmp_path / "out/overlays").glob("walk*"))
    assert overlays == ["walk.mp4", "walk_2.mp4"]
    written = cv2.VideoCapture(str(tmp_path / "out/overlays/walk.mp4"))
    assert written.get(cv2.CAP_PROP_FPS) == pytest.approx(4.0)
    frames = [written.read()[1] for _ in range(3)]
    assert not written.grab()
    first = frames[0][60:80, 40:60].mean(axis=(0, 1))
    for k, frame in enumerate(frames):
        picture = paint(objects([(16 + 16 * k, 24, 64, 96)]), [PERSON])
        assert frame.shape == picture.shape
        tint = frame[60:80, 40 + 16 * k : 60 + 16 * k].mean(axis=(0, 1))
        np.testing.assert_allclose(tint, first, atol=12, err_msg="it keeps its colour")
    assert len(list((tmp_path / "out/instances").glob("*.png"))) == 6
