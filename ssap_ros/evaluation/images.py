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

"""Runs the product over annotated images, shared among workers, and gathers the scores."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssap_ros.backends import model_path
from ssap_ros.common.outputs import write_output
from ssap_ros.data.image_files import require_files
from ssap_ros.data.segments import Segments, bounding_box
from ssap_ros.errors import InputError
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.predict import PredictionSettings, load_predictor
from ssap_ros.evaluation.scoring import Scores, merged
from ssap_ros.evaluation.workers import Workers, map_items
from ssap_ros.types import FrameResult, ImageArray, Instance
from ssap_ros.visualization.overlay import OverlayRenderer

_LOG = logging.getLogger(__name__)
WORST = "worst_*.png"
_HEADER = 28  # pixels above the pictures of the worst images, for what they show


def evaluate_images(
    images: ImageSet,
    settings: PredictionSettings,
    limit: int | None = None,
    workers: Workers = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score the first `limit` images.

    Args:
        images: Annotated.
        settings: Of the prediction.
        limit: None takes all.
        workers: See `map_items`; processes on this machine share its cores.
        progress: Called with (images done, images in all).

    Returns:
        The scores; they do not depend on the workers.

    Raises:
        InputError: Files are missing or incompatible.
        ModelError: The model cannot be used.
    """
    evaluator = open_evaluator(images, load_predictor(settings).info)
    for note in getattr(evaluator, "notes", ()):
        _LOG.warning(note)
    count = min(len(evaluator), limit or len(evaluator))
    if count == 0:
        raise InputError("there are no images to evaluate")
    require_files(path for index in range(count) for path in evaluator.files(index))
    if isinstance(workers, int) and workers > 1 and settings.config.num_threads == 0:
        threads = max(1, len(os.sched_getaffinity(0)) // workers)
        config = dataclasses.replace(settings.config, num_threads=threads)
        settings = dataclasses.replace(settings, config=config)
    score = partial(score_image, images, settings)
    return merged(map_items(score, range(count), workers, progress))


def score_image(images: ImageSet, settings: PredictionSettings, index: int) -> Scores:
    """The scores of one image; model and truth are loaded once per process."""
    predictor = load_predictor(settings)
    evaluator = open_evaluator(images, predictor.info)
    return evaluator.scores(index, predictor(evaluator.image(index)))


def report(scores: Scores, settings: PredictionSettings) -> dict[str, Any]:
    """The scores by name, with what they were made with; for a JSON file."""
    return {
        **scores.result(),
        "images": len(scores.quality),
        "model": str(model_path(settings.config)),
        **dataclasses.asdict(settings),
    }


def draw_worst(
    images: ImageSet, settings: PredictionSettings, scores: Scores, folder: Path, count: int
) -> list[Path]:
    """Write pictures of the `count` images of lowest quality: prediction left, truth right."""
    predictor = load_predictor(settings)
    evaluator = open_evaluator(images, predictor.info)
    paths = []
    for rank, index in enumerate(np.argsort(scores.quality, kind="stable")[:count], start=1):
        image = evaluator.image(int(index))
        prediction = predictor(image)
        instances = prediction.instances
        left = instances.keep(instances.scores >= prediction.shown_score)
        halves = [
            OverlayRenderer(predictor.info.classes).draw(
                image, _frame(segments), range(1, len(segments.class_ids) + 1)
            )
            for segments in (left, evaluator.thing_segments(int(index)))
        ]
        title = f"{evaluator.name(int(index))}   quality {scores.quality[index]:.2f}"
        path = folder / f"worst_{rank:02}_{evaluator.name(int(index))}.png"
        picture = cv2.cvtColor(_beside(halves, title), cv2.COLOR_RGB2BGR)
        write_output(path, cv2.imencode(".png", picture)[1].tobytes())
        paths.append(path)
    return paths


def _frame(segments: Segments) -> FrameResult:
    """Segments as a result of the pipeline; of overlapping masks the smaller one is in front."""
    masks = segments.masks()
    labels = np.zeros(segments.size, np.uint16)
    for k in sorted(range(len(masks)), key=lambda k: -int(masks[k].sum())):
        labels[masks[k]] = k + 1
    instances = [
        Instance(int(class_id), float(score), bounding_box(mask), int(mask.sum()))
        for class_id, score, mask in zip(segments.class_ids, segments.scores, masks, strict=True)
    ]
    return FrameResult(labels, tuple(instances), {})


def _beside(halves: list[ImageArray], title: str) -> ImageArray:
    height, width = halves[0].shape[:2]
    canvas = np.zeros((height + _HEADER, 2 * width + 4, 3), np.uint8)
    for x, half, words in ((0, halves[0], f"predicted   {title}"), (width + 4, halves[1], "truth")):
        canvas[_HEADER:, x : x + width] = half
        origin = (x + 6, _HEADER - 8)
        cv2.putText(
            canvas, words, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
        )
    return canvas
