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

"""The metrics against the official ones on random pictures."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from ssap_ros.data.segments import OTHER_CLASS
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.metrics.cityscapes_precision import CityscapesAveragePrecision
from ssap_ros.evaluation.metrics.mean_iou import MeanIou
from ssap_ros.evaluation.metrics.panoptic_quality import PanopticQuality
from support.metric_pictures import HEIGHT, PICTURES, STUFF, THINGS, UNLABELLED, WIDTH

EXACT = {"rel": 0, "abs": 1e-6}


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
