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

"""The paper's ablations of the inference (Tables 4, 5 and 7): the same images, row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ssap_ros.backends.base import AnyBackend
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.predict import PredictionSettings, Predictor, load_model
from ssap_ros.evaluation.scoring import Scores, bootstrap, merged
from ssap_ros.evaluation.test_time_augmentation import SCALES
from ssap_ros.evaluation.workers import Workers, map_items
from ssap_ros.stages.partition import cascaded_graph_partition
from ssap_ros.types import ClassArray, FloatOrHalfArray, LabelArray

METRICS = ("AP", "AP50", "PQ_th", "PQ")
_LEVELS = (4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        paper: The paper's scores on Cityscapes val, in percent, by the names of METRICS.
        initial, used: The cascade starts at this stride; the coarser levels up to `used` enter its
            first graph as sparse long-range edges.
    """

    name: str
    paper: dict[str, float]
    settings: PredictionSettings
    initial: int = 16
    used: int = 16


@dataclass(frozen=True)
class RowResult:
    """What a row came to.

    Attributes:
        scores: Over all images.
        partition_ms: Of each image.
    """

    row: Row
    scores: Scores
    partition_ms: list[float]


def table_rows(table: int, settings: PredictionSettings) -> list[Row]:
    """The rows of Table 4, 5 or 7; what the row does not say is as in `settings`."""

    def paper(ap: float, pq_th: float, pq: float, **more: float) -> dict[str, float]:
        return {"AP": ap, "PQ_th": pq_th, "PQ": pq, **more}

    if table == 4:
        known = (
            paper(28.9, 45.1, 54.9, seconds=1.26),
            paper(31.3, 49.2, 56.6, seconds=0.33),
            paper(31.5, 49.2, 56.6, seconds=0.26),
            paper(30.9, 48.8, 56.5, seconds=0.26),
            paper(30.9, 48.7, 56.5, seconds=0.26),
        )
        return [
            Row(f"from 1/{level}", scores, settings, level, _LEVELS[-1])
            for level, scores in zip(_LEVELS, known, strict=True)
        ]
    if table == 5:
        known = (
            paper(25.7, 41.2, 53.2),
            paper(29.8, 46.5, 55.4),
            paper(30.8, 48.6, 56.3),
            paper(31.4, 49.2, 56.5),
            paper(31.5, 49.2, 56.6),
        )
        return [
            Row(f"{'+ ' * (i > 0)}A{i + 1}", scores, settings, min(level, 16), level)
            for i, (level, scores) in enumerate(zip(_LEVELS, known, strict=True))
        ]
    if table == 7:
        plain = dataclasses.replace(settings.config, segmentation_refinement=False)
        refined = dataclasses.replace(settings.config, segmentation_refinement=True)
        change = partial(dataclasses.replace, settings)
        return [
            Row("base", paper(28.7, 45.4, 55.1), change(config=plain)),
            Row("+ SR", paper(31.5, 49.2, 56.6), change(config=refined)),
            Row("+ SR, HF", paper(32.8, 50.4, 57.6), change(config=refined, flip=True)),
            Row(
                "+ SR, HF, MS",
                paper(34.4, 50.6, 58.4),
                change(config=refined, flip=True, scales=SCALES),
            ),
        ]
    raise ValueError(f"table must be 4, 5 or 7, got {table}")


def ablate(
    rows: Sequence[Row],
    images: ImageSet,
    limit: int | None = None,
    workers: Workers = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[RowResult]:
    """Score every row on the same images; arguments as of `evaluate_images`."""
    evaluator = open_evaluator(images, load_model(rows[0].settings.config).info)
    count = min(len(evaluator), limit or len(evaluator))
    results = map_items(partial(score_rows, images, tuple(rows)), range(count), workers, progress)
    return [
        RowResult(row, merged([a[k][0] for a in results]), [a[k][1] for a in results])
        for k, row in enumerate(rows)
    ]


def score_rows(images: ImageSet, rows: tuple[Row, ...], index: int) -> list[tuple[Scores, float]]:
    """Scores and partition time of one image for every row; the network runs once."""
    results = []
    backend: AnyBackend = RememberingBackend(load_model(rows[0].settings.config))
    evaluator = open_evaluator(images, backend.info)
    image = evaluator.image(index)
    for row in rows:
        config = dataclasses.replace(row.settings.config, initial_level=max(row.initial, row.used))
        settings = dataclasses.replace(row.settings, config=config)
        partition = partial(
            partition_from,
            backend.info.levels.index(row.initial) + 1,
            config.segmentation_refinement,
        )
        prediction = Predictor(settings, backend, partition)(image)
        results.append((evaluator.scores(index, prediction), prediction.partition_ms))
    return results


def partition_from(
    n_levels: int,
    joint_finest: bool,
    costs: Sequence[FloatOrHalfArray],
    classes: Sequence[ClassArray],
    **settings: Any,
) -> LabelArray:
    """Partition the finest `n_levels`, with the coarser ones as long-range edges.

    Args:
        n_levels: Number of levels of the cascade.
        joint_finest: The last step partitions all classes together, as segmentation refinement
            does; without it every step stays within the classes.
        costs: As of `cascaded_graph_partition`.
        classes: As of `cascaded_graph_partition`.
        **settings: Other arguments of `cascaded_graph_partition`.

    Returns:
        Labels of the finest level, int32 (h, w).
    """
    return cascaded_graph_partition(
        costs[:n_levels],
        classes[:n_levels],
        long_range=costs[n_levels:],
        joint_finest=joint_finest,
        **settings,
    )


class RememberingBackend:
    """A backend that runs the network once per image and input size, however often it is asked.

    For one image: make a new one for the next.
    """

    max_batch = 1

    def __init__(self, backend: AnyBackend) -> None:
        self._backend = backend
        self.name, self.info = backend.name, backend.info
        self._inputs: dict[int, tuple[Any, float]] = {}
        self._outputs: dict[bytes, Any] = {}

    def preprocess(self, images: Sequence[Any], long_side: int) -> tuple[Any, float]:
        """See InferenceBackend."""
        if long_side not in self._inputs:
            self._inputs[long_side] = self._backend.preprocess(images, long_side)
        return self._inputs[long_side]

    def infer(self, tensor: Any, levels: Sequence[int]) -> Any:
        """See InferenceBackend."""
        key = np.asarray(tensor).tobytes()
        if key not in self._outputs:
            self._outputs[key] = self._backend.infer(tensor, self.info.levels)
        n = len(levels)
        return [
            dataclasses.replace(o, semantic=o.semantic[:n], affinities=o.affinities[:n])
            for o in self._outputs[key]
        ]

    def affinity_pyramids(self, *arguments: Any) -> Any:
        """See InferenceBackend."""
        return self._backend.affinity_pyramids(*arguments)

    def close(self) -> None:
        """See InferenceBackend."""
        self._backend.close()


def summarise(results: Sequence[RowResult], samples: int = 300) -> list[dict[str, Any]]:
    """Score every row, with bootstrap intervals over the images, the same ones for all rows.

    Returns:
        Per row its scores, the 95 % interval of each, and that of its difference to the first row.
    """
    whole = [result.scores.result() for result in results]
    names = [name for name in METRICS if whole[0].get(name) is not None]
    table = bootstrap([result.scores for result in results], names, samples)
    summary = []
    for k, result in enumerate(results):
        entry: dict[str, Any] = {
            "row": result.row.name,
            "paper": result.row.paper,
            "images": len(result.scores.quality),
            "partition_ms_median": float(np.median(result.partition_ms)),
        }
        for column, name in enumerate(names):
            difference = table[:, k, column] - table[:, 0, column]
            entry[name] = {
                "value": whole[k][name],
                "interval": _interval(table[:, k, column]),
                "difference": whole[k][name] - whole[0][name],
                "difference_interval": _interval(difference),
            }
        summary.append(entry)
    return summary


def _interval(samples: np.ndarray) -> list[float]:
    return [float(q) for q in np.nanpercentile(samples, (2.5, 97.5))]
