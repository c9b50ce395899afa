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

"""The metrics against the official ones on random pictures, and against truths known by hand."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from ssap_ros.data.segments import OTHER_CLASS, Segments, intersections
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.metrics.cityscapes_precision import CityscapesAveragePrecision
from ssap_ros.evaluation.metrics.mean_iou import MeanIou
from ssap_ros.evaluation.metrics.panoptic_quality import PanopticQuality

HEIGHT, WIDTH = 96, 160
STUFF = {7: "road", 11: "building", 23: "sky"}
THINGS = {24: "person", 26: "car", 33: "bicycle"}
CARAVAN, UNLABELLED = 29, 0
EXACT = {"rel": 0, "abs": 1e-6}


def blob(rng: np.random.Generator) -> np.ndarray:
    """A random filled ellipse, from a few pixels to a third of the picture."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    centre = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)))
    axes = tuple(int(a) for a in np.exp(rng.uniform(0, 3.6, 2)))
    cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return mask > 0


def shifted(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mask a little elsewhere: from a near hit to a miss."""
    return np.roll(mask, rng.integers(-4, 5, 2), (0, 1))


class Picture:
    """One random truth as Cityscapes stores it, and predictions for it.

    raw: int32 (H, W), label id, or 1000 * label id + number for an instance.
    predictions: (label id, score, mask) that may overlap and repeat each other.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.raw = np.full((HEIGHT, WIDTH), 7, np.int32)
        self.raw[: HEIGHT // 3] = 23
        self.raw[HEIGHT // 3 : HEIGHT // 2, : WIDTH // 2] = 11
        self.raw[blob(rng)] = UNLABELLED
        self.predictions: list[tuple[int, float, np.ndarray]] = []
        empty = seed % 5 == 0  # no objects at all
        for number in range(0 if empty else int(rng.integers(3, 9))):
            label = int(rng.choice([*THINGS, CARAVAN]))
            mask = blob(rng)
            group = rng.random() < 0.2
            self.raw[mask] = label if group else 1000 * label + number
            for _ in range(int(rng.choice([0, 1, 1, 1, 2, 3]))):  # missed, found, duplicates
                guess = label if rng.random() < 0.85 else int(rng.choice(list(THINGS)))
                score = round(float(rng.random()), 1)  # coarse, for ties
                self.predictions.append((guess, score, shifted(mask, rng)))
        for _ in range(0 if seed % 7 == 0 else 2):
            score = float(rng.random())
            self.predictions.append((int(rng.choice(list(THINGS))), score, blob(rng)))
        self.predictions = [p for p in self.predictions if p[2].any() and p[0] in THINGS]
        values = np.unique(self.raw)
        self.values = values[~np.isin(values, [UNLABELLED, CARAVAN])]  # CARAVAN: a group, void

    def truth(self, distances: dict[int, float] | None = None) -> Segments:
        ids = np.zeros(self.raw.shape, np.int32)
        for k, value in enumerate(self.values, start=1):
            ids[self.raw == value] = k
        labels = [int(v) if v < 1000 else int(v) // 1000 for v in self.values]
        return Segments(
            ids,
            np.array([OTHER_CLASS if label == CARAVAN else label for label in labels]),
            crowd=np.array([v < 1000 and v not in STUFF for v in self.values]),
            distances=np.array([(distances or {}).get(int(v), np.nan) for v in self.values]),
        )

    def masks(self) -> Segments:
        return Segments(
            np.array([mask for _, _, mask in self.predictions]).reshape(-1, HEIGHT, WIDTH) > 0,
            np.array([label for label, _, _ in self.predictions]),
            np.array([score for _, score, _ in self.predictions]),
        )

    def panoptic(self) -> Segments:
        """The predictions painted over a background with errors of its own; some is left void."""
        rng = np.random.default_rng(int(self.raw.sum()))
        ids, class_ids = np.zeros(self.raw.shape, np.int32), []
        for label in STUFF:
            ids[np.roll(self.raw == label, 5, 1)] = len(class_ids) + 1
            class_ids.append(label)
        ids[blob(rng)] = 0
        for label, _, mask in self.predictions:
            ids[mask] = len(class_ids) + 1
            class_ids.append(label)
        present = np.unique(ids[ids > 0])
        ids = np.searchsorted(np.concatenate([[0], present]), ids).astype(np.int32)
        return Segments(ids, np.array(class_ids)[present - 1])


PICTURES = [Picture(seed) for seed in range(40)]


def silent(function: Any, *arguments: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments)


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The instance script of Cityscapes, which needs a function that numpy no longer has."""
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)
    return pytest.importorskip("cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling")


def write_cityscapes(folder: Path) -> tuple[list[str], list[str]]:
    predictions, truths = [], []
    for number, picture in enumerate(PICTURES):
        truths.append(str(folder / f"a_{number:06}_000000_gtFine_instanceIds.png"))
        cv2.imwrite(truths[-1], picture.raw.astype(np.uint16))
        lines = []
        for k, (label, score, mask) in enumerate(picture.predictions):
            cv2.imwrite(str(folder / f"{number}_{k}.png"), mask.astype(np.uint8) * 255)
            lines.append(f"{number}_{k}.png {label} {score}\n")
        predictions.append(str(folder / f"a_{number:06}_000000.txt"))
        Path(predictions[-1]).write_text("".join(lines))
    return predictions, truths


@pytest.mark.parametrize("with_distances", [False, True])
def test_cityscapes_precision_is_the_official_one(
    tmp_path: Path, official: ModuleType, with_distances: bool
) -> None:
    predictions, truths = write_cityscapes(tmp_path)
    arguments = official.args
    arguments.predictionPath = str(tmp_path)
    arguments.quiet, arguments.distanceAvailable = True, with_distances
    arguments.gtInstancesFile = str(tmp_path / "instances.json")
    official.setInstanceLabels(arguments)
    instances = silent(official.getGtInstances, truths, arguments)
    # the public script has no distances; the benchmark's JSON has them per instance
    rng = np.random.default_rng(3)
    distances: list[dict[int, float]] = [{} for _ in PICTURES]
    for path, known in zip(truths, distances, strict=True):
        for objects in instances[path].values():
            for instance in objects:
                # large enough for some to count: 1000 pixels at least
                instance["medDist"], instance["distConf"] = (
                    float(rng.uniform(20, 140)),
                    rng.random(),
                )
                if instance["distConf"] >= 0.5:
                    known[instance["instID"]] = instance["medDist"]
    matches = silent(official.matchGtWithPreds, predictions, truths, instances, arguments)
    expected = official.computeAverages(official.evaluateMatches(matches, arguments), arguments)

    ours = CityscapesAveragePrecision(THINGS, distances=with_distances)
    for picture, known in zip(PICTURES, distances, strict=True):
        ours.add(picture.masks(), picture.truth(known))
    result = ours.result()
    names = {"allAp": "AP", "allAp50%": "AP50"}
    if with_distances:
        names |= {"allAp50m": "AP50m", "allAp100m": "AP100m"}
    for theirs, name in names.items():
        assert 0.01 < expected[theirs] < 0.99
        assert result[name] == pytest.approx(expected[theirs], **EXACT)
    for name in THINGS.values():
        for theirs, own in {key.replace("allAp", "ap"): n for key, n in names.items()}.items():
            value = expected["classes"][name][theirs]
            value_or_none = None if np.isnan(value) else pytest.approx(value, **EXACT)
            assert result["classes"][name][own] == value_or_none


def rgb_of(ids: np.ndarray) -> np.ndarray:
    """A panoptic PNG, as OpenCV writes it (BGR)."""
    return np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1).astype(np.uint8)


def test_panoptic_quality_is_the_official_one(tmp_path: Path) -> None:
    module = pytest.importorskip("cityscapesscripts.evaluation.evalPanopticSemanticLabeling")
    categories = {
        i: {"id": i, "name": name, "isthing": int(i in THINGS)}
        for i, name in {**STUFF, **THINGS}.items()
    }
    pairs = []
    ours = PanopticQuality({**STUFF, **THINGS}, list(THINGS))
    for number, picture in enumerate(PICTURES):
        truth, prediction = picture.truth(), picture.panoptic()
        ours.add(prediction, truth)
        annotations = []
        for name, segments in (("truth", truth), ("prediction", prediction)):
            other = np.append(False, segments.class_ids == OTHER_CLASS)
            ids = np.where(other[segments.ids], 0, segments.ids)
            cv2.imwrite(str(tmp_path / f"{name}{number}.png"), rgb_of(ids))
            info = [
                {"id": k, "category_id": int(c), "area": int((ids == k).sum()), "iscrowd": int(w)}
                for k, (c, w) in enumerate(
                    zip(segments.class_ids, segments.crowd, strict=True), start=1
                )
                if c != OTHER_CLASS
            ]
            annotations.append(
                {"image_id": number, "file_name": f"{name}{number}.png", "segments_info": info}
            )
        pairs.append(tuple(annotations))
    statistics = silent(module.pq_compute_single_core, 0, pairs, tmp_path, tmp_path, categories)
    expected = module.average_pq(statistics, categories)
    result = ours.result()
    for group, suffix in (("All", ""), ("Things", "_th"), ("Stuff", "_st")):
        for name in ("pq", "sq", "rq"):
            assert 0.01 < expected[group][name] < 0.99
            assert result[name.upper() + suffix] == pytest.approx(expected[group][name], **EXACT)
    for i, category in categories.items():
        for name, value in expected["per_class"][i].items():
            own = result["classes"][category["name"]][name.upper()]
            assert own == pytest.approx(value, **EXACT)


def test_mean_iou_is_the_official_one(tmp_path: Path) -> None:
    module = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    arguments = module.args
    arguments.evalInstLevelScore = arguments.evalPixelAccuracy = False
    arguments.quiet, arguments.JSONOutput = True, False
    predictions, truths = [], []
    classes = {**STUFF, **THINGS}
    ours = MeanIou(classes)
    for number, picture in enumerate(PICTURES):
        truth = np.where(picture.raw < 1000, picture.raw, picture.raw // 1000).astype(np.uint8)
        prediction = picture.panoptic().class_map(UNLABELLED)
        ours.add(prediction, np.where(np.isin(truth, list(classes)), truth, 255).astype(np.uint8))
        predictions.append(str(tmp_path / f"p{number}.png"))
        truths.append(str(tmp_path / f"t{number}.png"))
        cv2.imwrite(predictions[-1], prediction)
        cv2.imwrite(truths[-1], truth)
    expected = silent(module.evaluateImgLists, predictions, truths, arguments)["classScores"]
    result = ours.result()
    for name in classes.values():
        assert result["classes"][name] == pytest.approx(expected[name], **EXACT)
    assert result["mIoU"] == pytest.approx(
        np.mean([expected[n] for n in classes.values()]), **EXACT
    )


def test_coco_precision_is_the_official_one() -> None:
    from pycocotools import mask as rle
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    ours = CocoAveragePrecision(THINGS)
    truths, predictions = [], []
    for number, picture in enumerate(PICTURES):
        truth = picture.truth()
        ours.add(picture.masks(), truth)
        for segments, into in ((truth, truths), (picture.masks(), predictions)):
            for c, s, w, mask in zip(
                segments.class_ids, segments.scores, segments.crowd, segments.masks(), strict=True
            ):
                code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
                into.append(
                    {"image_id": number, "category_id": int(c), "segmentation": code,
                     "score": float(s), "iscrowd": int(w), "area": float(mask.sum()),
                     "id": len(into) + 1}
                )  # fmt: skip
    coco = COCO()
    coco.dataset = {
        "images": [{"id": n, "height": HEIGHT, "width": WIDTH} for n in range(len(PICTURES))],
        "categories": [{"id": i, "name": name} for i, name in THINGS.items()],
        "annotations": [t for t in truths if t["category_id"] in THINGS],
    }
    silent(coco.createIndex)
    evaluation = COCOeval(coco, silent(coco.loadRes, predictions), "segm")
    silent(evaluation.evaluate)
    silent(evaluation.accumulate)
    silent(evaluation.summarize)
    result = ours.result()
    assert 0.01 < evaluation.stats[0] < 0.99
    assert result["AP"] == pytest.approx(evaluation.stats[0], **EXACT)
    assert result["AP50"] == pytest.approx(evaluation.stats[1], **EXACT)
    for k, name in enumerate(THINGS.values()):
        precision = evaluation.eval["precision"][:, :, k, 0, -1]
        assert result["classes"][name]["AP"] == pytest.approx(precision.mean(), **EXACT)


def accumulators() -> list[Any]:
    classes = {**STUFF, **THINGS}
    return [
        PanopticQuality(classes, list(THINGS)),
        CityscapesAveragePrecision(THINGS),
        CocoAveragePrecision(THINGS),
        MeanIou(classes),
    ]


def add(metric: Any, picture: Picture) -> None:
    prediction, truth = picture.panoptic(), picture.truth()
    if isinstance(metric, MeanIou):
        metric.add(prediction.class_map(), truth.class_map())
    else:
        metric.add(prediction, truth)


@pytest.mark.parametrize("kind", range(4))
def test_parts_merged_give_the_result_of_the_whole(kind: int) -> None:
    whole, parts = accumulators()[kind], [accumulators()[kind] for _ in range(3)]
    for n, picture in enumerate(PICTURES[:12]):
        add(whole, picture)
        add(parts[n // 4], picture)
    merged = accumulators()[kind]
    for part in parts:
        merged.merge(part)
    assert json.dumps(merged.result()) == json.dumps(whole.result())
    again = whole.resampled(np.arange(12))
    assert again.result() == whole.result()
    assert whole.resampled(np.array([3, 3, 8])).result() != whole.result()


@pytest.mark.parametrize("kind", range(4))
def test_no_image_and_images_without_anything(kind: int) -> None:
    metric = accumulators()[kind]
    first = next(iter(metric.result()))
    assert metric.result()[first] is None
    nothing = Segments(np.zeros((8, 8), np.int32), np.zeros(0, int))
    if isinstance(metric, MeanIou):
        metric.add(nothing.class_map(), nothing.class_map())
    else:
        metric.add(nothing, nothing)
    assert metric.result()[first] is None


def square(x: int) -> np.ndarray:
    mask = np.zeros((40, 80), np.int32)
    mask[10:30, x : x + 20] = 1
    return mask


def test_panoptic_quality_of_a_hand_made_picture() -> None:
    """A person found with IoU 3/5, another one missed, a car invented, the ground exact."""
    truth = Segments(square(0) + 2 * square(30), np.array([24, 24])).with_background(7)
    found = Segments(square(5) + 2 * square(55), np.array([24, 26])).with_background(7)
    metric = PanopticQuality({7: "road", 24: "person", 26: "car"}, [24, 26])
    metric.add(found, truth)
    result = metric.result()
    assert result["classes"]["person"] == pytest.approx({"PQ": 0.6 / 1.5, "SQ": 0.6, "RQ": 2 / 3})
    assert result["classes"]["car"] == {"PQ": 0, "SQ": 0, "RQ": 0}
    assert result["PQ_th"] == pytest.approx(0.2)
    assert result["PQ_st"] == result["SQ_st"] == pytest.approx(result["classes"]["road"]["PQ"])


def test_coco_and_cityscapes_precision_of_one_hit_and_one_miss() -> None:
    truth = Segments(square(0) + 2 * square(30), np.array([24, 24])).with_background(7)
    found = Segments(square(0), np.array([24]), np.array([0.8]))
    coco, cityscapes = CocoAveragePrecision(THINGS), CityscapesAveragePrecision(THINGS)
    coco.add(found, truth)
    cityscapes.add(found, truth)
    assert coco.result()["classes"]["person"]["AP"] == pytest.approx(51 / 101)
    assert cityscapes.result()["AP"] == pytest.approx(0.5)
    assert cityscapes.result()["classes"]["car"] == {"AP": None, "AP50": None}


def test_segments_that_do_not_fit_are_refused() -> None:
    ids = np.zeros((4, 5), np.int32)
    with pytest.raises(ValueError, match=r"ids must be in \[0, 0\], got \[0, 1\]"):
        Segments(ids + np.eye(4, 5, dtype=np.int32), np.zeros(0, int))
    with pytest.raises(ValueError, match=r"ids must be integer .*got float64"):
        Segments(ids.astype(float), np.zeros(0, int))
    with pytest.raises(ValueError, match=r"scores must have shape \(1,\), got \(2,\)"):
        Segments(ids, np.array([1]), np.array([0.1, 0.2]))
    one, other = Segments(ids, np.array([1])), Segments(ids.T, np.array([1]))
    with pytest.raises(ValueError, match=r"one size, got \(4, 5\) and \(5, 4\)"):
        intersections(one, other)
    masks = Segments(np.zeros((1, 4, 5), bool), np.array([1]))
    with pytest.raises(ValueError, match="overlap"):
        PanopticQuality(THINGS, []).add(masks, one)
    with pytest.raises(ValueError, match="uint8"):
        MeanIou(THINGS).add(ids, ids)
