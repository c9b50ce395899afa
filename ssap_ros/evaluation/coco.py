"""COCO mask average precision of the pipeline on annotated images, measured by pycocotools."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssap_ros.backends import load_backend, model_path
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.image_files import read_annotated_image
from ssap_ros.partition import cascaded_graph_partition
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.types import ClassArray, FloatArray, FrameResult, ImageArray, LabelArray

_USED_KEYS = {"images": ("file_name", "height", "width"), "categories": ("id", "name")}
Grouping = Literal["affinity", "components"]


def evaluate_coco(
    annotations: Path,
    images: Path,
    config: SsapConfig,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    grouping: Grouping = "affinity",
) -> dict[str, Any]:
    """Run the pipeline on the images of a COCO annotation file and score its masks.

    annotations: COCO JSON with `images`, `annotations` and `categories`; categories and model
        classes are matched by name, and what only one side knows is left out.
    images: the folder that the `file_name`s are relative to.
    config: pipeline settings, save that score_threshold is set to 0, because average precision is
        defined on the whole ranked list; every other setting applies.
    limit: evaluate the first `limit` images only.
    progress: called with (images done, images in all) after every image.
    grouping: "affinity" is the product; "components" is the baseline that takes each connected
        region of one class as one instance, everything else being equal.

    Returns AP (IoU .50:.05:.95), AP50, the same per class under `classes` (None where there is no
    ground truth), `images` (their number), `model`, `grouping` and `config`. Raises InputError for
    files that are missing or unfit, ModelError for the model.
    """
    config = dataclasses.replace(config, score_threshold=0.0)
    backend = load_backend(config)
    partition = cascaded_graph_partition if grouping == "affinity" else connected_components
    pipeline = SsapPipeline(backend, config, partition)
    truth = _load_truth(annotations)
    category_of_class = _match_categories(truth, backend.info.classes)
    image_ids = sorted(truth.imgs)[:limit]

    predictions: list[dict[str, Any]] = []
    for done, image_id in enumerate(image_ids, start=1):
        result = pipeline(_read_image(images, truth.imgs[image_id]))
        predictions += _to_coco(result, image_id, category_of_class)
        if progress:
            progress(done, len(image_ids))

    # (IoU thresholds, recalls, categories) at all areas and 100 detections per image
    precision = _precision(truth, predictions, image_ids, list(category_of_class.values()))
    return {
        "AP": _mean(precision),
        "AP50": _mean(precision[0]),
        "classes": {
            backend.info.classes[class_id]: {
                "AP": _mean(precision[:, :, k]),
                "AP50": _mean(precision[0, :, k]),
            }
            for k, class_id in enumerate(category_of_class)
        },
        "images": len(image_ids),
        "model": str(model_path(config)),
        "grouping": grouping,
        "config": dataclasses.asdict(config),
    }


def connected_components(_costs: Sequence[FloatArray], classes: Sequence[ClassArray]) -> LabelArray:
    """The baseline partition: 8-connected regions of each class of the finest level.

    Takes and returns what `cascaded_graph_partition` does; the costs do not matter here.
    """
    labels = np.zeros(classes[0].shape, np.int32)
    n_labels = 0
    for class_index in np.unique(classes[0][classes[0] > 0]):
        mask = (classes[0] == class_index).astype(np.uint8)
        count, regions = cv2.connectedComponents(mask, connectivity=8)
        labels[mask > 0] = regions[mask > 0] + n_labels
        n_labels += count - 1
    return labels


def _load_truth(path: Path) -> COCO:
    try:
        truth = _indexed(json.loads(path.read_bytes()))
        for annotation in truth.dataset["annotations"]:
            annotation.setdefault("iscrowd", 0)
            annotation["area"] = float(rle.area(truth.annToRLE(annotation)))
        for part, keys in _USED_KEYS.items():
            for entry in truth.dataset[part]:
                if missing := [key for key in keys if key not in entry]:
                    raise KeyError(f"{part} without {', '.join(missing)}")
    except OSError as error:
        raise InputError(f"cannot read the annotations {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a COCO annotation file: {error!r}") from error
    return truth


def _indexed(dataset: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _match_categories(truth: COCO, classes: Sequence[str]) -> dict[int, int]:
    """Class id -> category id for the names that both know, by rising category id."""
    category_ids = {category["name"]: category["id"] for category in truth.dataset["categories"]}
    matches = {i: category_ids[name] for i, name in enumerate(classes) if name in category_ids}
    if not matches:
        raise InputError(
            f"no category is a class of the model: {sorted(category_ids)} against {list(classes)}"
        )
    return dict(sorted(matches.items(), key=lambda match: match[1]))


def _read_image(folder: Path, entry: dict[str, Any]) -> ImageArray:
    path = folder / entry["file_name"]
    image = read_annotated_image(path)
    if image.shape[:2] != (entry["height"], entry["width"]):
        raise InputError(
            f"image {path} must be {entry['width']} x {entry['height']}, "
            f"got {image.shape[1]} x {image.shape[0]}"
        )
    return image


def _to_coco(
    result: FrameResult, image_id: int, category_of_class: dict[int, int]
) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image_id,
            "category_id": category_of_class[instance.class_id],
            "score": instance.score,
            "segmentation": rle.encode(np.asfortranarray(result.labels == k, dtype=np.uint8)),
        }
        for k, instance in enumerate(result.instances, start=1)
        if instance.class_id in category_of_class
    ]


def _precision(
    truth: COCO,
    predictions: list[dict[str, Any]],
    image_ids: list[int],
    category_ids: list[int],
) -> NDArray[np.float64]:
    """Interpolated precision (IoU thresholds, recalls, categories), -1 without ground truth."""
    for number, prediction in enumerate(predictions, start=1):
        prediction["id"], prediction["iscrowd"] = number, 0
        prediction["area"] = float(rle.area(prediction["segmentation"]))
    evaluation = COCOeval(
        truth, _indexed({**truth.dataset, "annotations": predictions}), iouType="segm"
    )
    evaluation.params.imgIds = image_ids
    evaluation.params.catIds = category_ids
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"][:, :, :, 0, -1])


def _mean(precision: NDArray[np.float64]) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None
