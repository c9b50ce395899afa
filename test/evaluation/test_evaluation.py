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

"""`ssap evaluate` on painted pictures in official formats; test-time augmentation; the workers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.data.segments import Segments
from ssap_ros.errors import ModelError
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.images import draw_worst, evaluate_images, report
from ssap_ros.evaluation.panoptic import full_resolution_classes, panoptic_segments
from ssap_ros.evaluation.predict import PredictionSettings
from ssap_ros.evaluation.scoring import bootstrap
from ssap_ros.evaluation.test_time_augmentation import SCALES, TestTimeBackend, mirror_affinities
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.stages.partition import upsample_labels
from support.tiny_sets import CAR, PERSON, ROAD, PanopticFile, objects, write_cityscapes
from support.toy_model import paint

LEFT, RIGHT, FAR = (32, 32, 64, 128), (96, 32, 64, 128), (192, 64, 48, 64)


def settings(model: Path, **changes: Any) -> PredictionSettings:
    config = SsapConfig(model_file_path=str(model), num_threads=1)
    return PredictionSettings(config, **{"min_stuff_area": 1, **changes})


def evaluate(images: ImageSet, model: Path, workers: int = 1, **changes: Any) -> dict[str, Any]:
    open_evaluator.cache_clear()  # the files change between calls
    chosen = settings(model, **changes)
    return report(evaluate_images(images, chosen, workers=workers), chosen)


@pytest.fixture
def town(tmp_path: Path) -> ImageSet:
    """Three pictures of Cityscapes with people near and far; the person of the last is missed."""
    metres = np.full((192, 256), 30.0)
    metres[:, 160:] = 75.0
    for number, boxes in enumerate([[LEFT, FAR], [LEFT, RIGHT], []]):
        instances = objects(boxes)
        class_ids = [PERSON, CAR][: len(boxes)]
        write_cityscapes(tmp_path, f"{number:06}", instances, class_ids, metres=metres)
    unseen = np.full((192, 256), ROAD, np.uint16)
    unseen[objects([FAR]) > 0] = 24000
    write_cityscapes(tmp_path, "000003", objects([]), [], unseen, metres)
    return ImageSet("cityscapes", root=tmp_path)


def test_cityscapes_scores(town: ImageSet, toy_model_path: Path) -> None:
    """Of persons two of three are found, all cars are; only what is near counts in AP50m."""
    result = evaluate(town, toy_model_path)
    person, car = result["classes"]["person"], result["classes"]["car"]
    assert person["AP50"] == pytest.approx(2 / 3)
    assert person["AP50m"] == car["AP50m"] == car["AP"] == pytest.approx(1)
    assert person["AP100m"] == pytest.approx(2 / 3)
    assert person["RQ"] == pytest.approx(2 / 2.5)
    assert person["SQ"] > 0.99
    assert result["AP50"] == pytest.approx(5 / 6)
    assert person["IoU"] == pytest.approx(2 / (2 + 48 * 64 / (64 * 128)), abs=0.01)
    assert result["PQ_st"] is None  # the toy model knows no road
    assert set(result["classes"]) & {"rider", "road"} == set()
    assert result["images"] == 4


def test_cityscapes_without_disparity_has_no_distances(
    tmp_path: Path, toy_model_path: Path
) -> None:
    write_cityscapes(tmp_path, "000000", objects([LEFT]), [PERSON])
    result = evaluate(ImageSet("cityscapes", root=tmp_path), toy_model_path)
    assert result["AP"] == pytest.approx(1)
    assert "AP50m" not in result


def test_coco_panoptic_scores(tmp_path: Path, toy_model_path: Path) -> None:
    file = PanopticFile(tmp_path)
    instances = objects([LEFT, RIGHT])
    segments = [{"id": k, "category_id": 1, "iscrowd": 0} for k in (1, 2)]
    rest = {"id": 9, "category_id": 100, "iscrowd": 0}
    ids = np.where(instances, instances, 9)
    file.add(instances, [PERSON, PERSON], ids, [*segments, rest])
    found = evaluate(ImageSet("coco_panoptic", file.annotations, file.images), toy_model_path)
    assert found["AP"] == pytest.approx(1)
    assert found["classes"]["person"]["PQ"] > 0.99
    assert list(found["classes"]) == ["person", "car"]
    joined = evaluate(
        ImageSet("coco_panoptic", file.annotations, file.images),
        toy_model_path,
        grouping="components",
    )
    assert joined["classes"]["person"]["PQ"] == 0
    assert joined["mIoU"] == found["mIoU"]


def test_scores_do_not_depend_on_the_workers(town: ImageSet, toy_model_path: Path) -> None:
    pytest.importorskip("distributed")
    alone = evaluate(town, toy_model_path)
    shared = evaluate(town, toy_model_path, workers=2)
    assert json.dumps(alone) == json.dumps(shared)


def test_the_worst_images_are_drawn_beside_their_truth(
    town: ImageSet, toy_model_path: Path, tmp_path: Path
) -> None:
    open_evaluator.cache_clear()
    chosen = settings(toy_model_path)
    scores = evaluate_images(town, chosen)
    assert np.argmin(scores.quality) == 3
    assert scores.quality[2] == 1
    paths = draw_worst(town, chosen, scores, tmp_path / "worst", 2)
    assert [path.name.split("_")[1] for path in paths] == ["01", "02"]
    assert "000003" in paths[0].name
    picture = cv2.imread(str(paths[0]))
    half = picture.shape[1] // 2
    box = np.s_[28 + 100 : 28 + 120, 200:220]
    # the missed person is tinted in the truth alone
    assert (picture[box] == paint(objects([]), [])[100:120, 200:220, ::-1]).all()
    assert (picture[:, half + 2 :][box] != picture[box]).any()


def test_bootstrap_is_of_the_same_images_for_all(town: ImageSet, toy_model_path: Path) -> None:
    open_evaluator.cache_clear()
    scores = evaluate_images(town, settings(toy_model_path))
    table = bootstrap([scores, scores], ["AP50", "PQ"], samples=40)
    assert table.shape == (40, 2, 2)
    np.testing.assert_array_equal(table[:, 0], table[:, 1])
    known = table[:, 0, 0][~np.isnan(table[:, 0, 0])]
    assert known.min() < 5 / 6 < known.max()


def test_mirrored_affinities_keep_their_pairs() -> None:
    affinities = np.random.default_rng(0).normal(size=(25, 4, 6)).astype(np.float32)
    mirrored = mirror_affinities(affinities)
    np.testing.assert_array_equal(mirror_affinities(mirrored), affinities)
    for dy, dx in ((0, 1), (-2, 1), (2, -2)):
        channel, opposite = 5 * (dy + 2) + dx + 2, 5 * (dy + 2) - dx + 2
        assert mirrored[channel, 1, 1] == affinities[opposite, 1, 4]


def test_flip_makes_the_prediction_symmetric(toy_backend: OnnxRuntimeBackend) -> None:
    """The mean over a picture and its mirror image is that of the mirror image, mirrored."""
    backend = TestTimeBackend(toy_backend, flip=True)
    image = np.random.default_rng(1).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    levels = backend.info.levels
    tensors = [backend.preprocess([i], 256)[0] for i in (image, image[:, ::-1].copy())]
    straight, mirrored = (backend.infer(t, levels)[0] for t in tensors)
    for s, m in zip(straight.semantic, mirrored.semantic, strict=True):
        np.testing.assert_allclose(s, m[..., ::-1], atol=1e-4)
    for s, m in zip(straight.affinities, mirrored.affinities, strict=True):
        np.testing.assert_allclose(s, mirror_affinities(m), atol=1e-4)
    assert (
        straight.semantic[0].shape == toy_backend.infer(tensors[0][0], levels)[0].semantic[0].shape
    )


@pytest.mark.parametrize("size", [(192, 256), (130, 250), (90, 61)])
def test_all_augmentations_leave_exact_predictions_as_they_are(
    toy_backend: OnnxRuntimeBackend, size: tuple[int, int]
) -> None:
    """Large objects that every view sees alike: the mean of the same is the same."""
    instances = np.zeros(size, np.int32)
    half = size[1] // 2 // 32 * 32
    instances[:, :half], instances[:, half:] = 1, 2
    image = paint(instances, [PERSON, CAR], [255, 150])
    config = SsapConfig(input_long_side=max(size), min_instance_area=1)
    tricked = TestTimeBackend(toy_backend, flip=True, scales=SCALES)
    plain, result = (SsapPipeline(b, config)(image) for b in (toy_backend, tricked))
    assert [i.class_id for i in result.instances] == [i.class_id for i in plain.instances]
    assert (result.labels == plain.labels).mean() > 0.97


def test_the_level_shift_keeps_displacements(toy_backend: OnnxRuntimeBackend) -> None:
    """The double-size view alone predicts at each level what the image does, one level lower."""
    instances = objects([(0, 0, 128, 192), (128, 0, 128, 192)])
    image = paint(instances, [PERSON, PERSON])
    backend = TestTimeBackend(toy_backend, flip=False, scales=(1.0, 2.0))
    levels = toy_backend.info.levels[:3]
    tensor, scale = backend.preprocess([image], 256)
    assert scale == 1.0
    both = backend.infer(tensor, levels)[0]
    once = toy_backend.infer(tensor[0], levels)[0]
    for a, b in zip(both.affinities, once.affinities, strict=True):
        assert ((a > 0) == (b > 0)).all()


def test_impossible_tricks_are_refused(toy_backend: OnnxRuntimeBackend) -> None:
    with pytest.raises(ValueError, match="powers of two"):
        TestTimeBackend(toy_backend, flip=False, scales=(1.0, 1.5))
    with pytest.raises(ValueError, match="with 1 among them"):
        TestTimeBackend(toy_backend, flip=False, scales=(0.5,))


def test_tricks_need_a_model_of_free_size(tmp_path: Path) -> None:
    from support.toy_model import write_toy_model

    write_toy_model(tmp_path / "fixed.onnx", input_size=(128, 256))
    backend = OnnxRuntimeBackend(tmp_path / "fixed.onnx", num_threads=1)
    TestTimeBackend(backend, flip=True)
    with pytest.raises(ModelError, match="one scale"):
        TestTimeBackend(backend, flip=True, scales=SCALES)


def test_panoptic_map_of_a_hand_made_picture() -> None:
    instances = Segments(np.array([[1, 0, 0, 0, 0, 0]] * 2), np.array([5]))
    classes = np.array([[5, 5, 0, 0, 0, 1]] * 2, np.uint8)
    merged = panoptic_segments(instances, classes, (5,), min_stuff_area=3)
    # the thing pixel without an instance is void, the small stuff too
    np.testing.assert_array_equal(merged.ids, [[1, 0, 2, 2, 2, 0]] * 2)
    assert merged.class_ids.tolist() == [5, 0]


def test_classes_lie_where_the_labels_lie() -> None:
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 4, (9, 13)).astype(np.int32)
    probabilities = np.eye(4, dtype=np.float32)[cells].transpose(2, 0, 1)
    for size, scale in (((36, 52), 0.25), ((30, 41), 0.3), ((9, 13), 1.0)):
        expected = upsample_labels(cells, size, scale)
        classes = full_resolution_classes(probabilities, size, scale)
        assert (classes == expected).mean() > 0.97  # ties and rounding of the interpolation
        halves = full_resolution_classes(probabilities.astype(np.float16), size, scale)
        assert (classes == halves).mean() > 0.97  # as a GPU returns them


def ssap(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ssap_ros.cli", "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_command_on_cityscapes(town: ImageSet, toy_model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "scores.json"
    result = ssap(
        "--format", "cityscapes", "--root", town.root, "--json", out,
        "--model", toy_model_path, "--flip", "--worst", tmp_path / "worst",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "4/4 images" in result.stderr
    assert "person" in result.stdout
    scores = json.loads(out.read_text())
    assert scores["AP50"] == pytest.approx(5 / 6)
    assert scores["flip"] is True
    assert len(list((tmp_path / "worst").glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "coco"], "--format coco needs --annotations"),
        (["--format", "cityscapes"], "--format cityscapes needs --root"),
        (["--format", "scenes", "--seeds", "3"], "--seeds must be FIRST:COUNT, got '3'"),
        (["--format", "scenes", "--workers", "none"], "number of workers"),
        (["--format", "cityscapes", "--root", "nowhere"], "expected Cityscapes images nowhere/"),
    ],
)
def test_wrong_command_lines(arguments: list[str], words: str, tmp_path: Path) -> None:
    result = ssap(*arguments, "--json", tmp_path / "x.json")
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert words in line
