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

"""One camera image -> its object instances. The whole way on one page; it knows no ROS."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ssap_ros.backends import AnyBackend, load_backend
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.stages.affinity import AffinityPyramid
from ssap_ros.stages.class_choice import ClassChoice
from ssap_ros.stages.instances import extract_instances
from ssap_ros.stages.partition import CascadeReport, cascaded_graph_partition
from ssap_ros.stages.preprocess import content_size
from ssap_ros.types import (
    ClassArray,
    FloatArray,
    FloatOrHalfArray,
    FrameResult,
    ImageArray,
    LabelArray,
    ModelInfo,
)

_LOG = logging.getLogger(__name__)

STAGES = ("preprocess", "inference", "affinity", "partition", "instances")
"""The timed stages of a frame, in order; the keys of `FrameResult.stage_ms`."""


@dataclass(frozen=True)
class Prediction:
    """What the network predicts for one image.

    Attributes:
        pyramid: Affinities or edge costs, and class maps, per level.
        size: (H, W) of the image.
        scale: Network pixels per pixel of the image.
        stage_ms: Wall time per stage so far in milliseconds, of the whole batch.
    """

    pyramid: AffinityPyramid
    size: tuple[int, int]
    scale: float
    stage_ms: dict[str, float]


class Partition(Protocol):
    """Groups the pixels, as `cascaded_graph_partition` does."""

    def __call__(
        self,
        costs: Sequence[FloatOrHalfArray],
        classes: Sequence[ClassArray],
        *,
        scores: FloatArray | None,
        max_ms: float | None,
        report: CascadeReport,
    ) -> LabelArray:
        """Labels of the finest level, int32 (h, w), 0 = background, 1..N."""
        ...


class SsapPipeline:
    """Instance segmentation of single images.

    Args:
        backend: The loaded network.
        config: The settings; assign `pipeline.config` to change the live ones between frames.
        partition: Groups the pixels.

    Raises:
        InputError: The network cannot serve these settings.
    """

    def __init__(
        self,
        backend: AnyBackend,
        config: SsapConfig,
        partition: Partition = cascaded_graph_partition,
    ) -> None:
        self._backend = backend
        self._partition = partition
        self.config = config

    @classmethod
    def from_model(cls, path: str | Path = "", config: SsapConfig | None = None) -> SsapPipeline:
        """Load a model into the backend that the node would choose here; the choice is logged.

        Args:
            path: The ONNX file; empty means the model shipped with the package.
            config: Settings, the defaults of the node if None; `path` replaces its
                `model_file_path`.

        Returns:
            The pipeline, ready for images.

        Raises:
            ModelError: The model is missing or incompatible.
            DeviceError: The GPU that `config` asks for cannot be used.
        """
        config = replace(config or SsapConfig(), model_file_path=str(path))
        return cls(load_backend(config, _LOG.info), config)

    @property
    def info(self) -> ModelInfo:
        """What the model says about itself; `info.classes[instance.class_id]` names a class."""
        return self._backend.info

    @property
    def config(self) -> SsapConfig:
        """The settings in use. Assigning ones that the network cannot serve raises InputError."""
        return self._config

    @config.setter
    def config(self, config: SsapConfig) -> None:
        levels = self._backend.info.levels
        if config.initial_level not in levels:
            raise InputError(f"initial_level must be one of {levels}, got {config.initial_level}")
        self.choice = ClassChoice.of(config, self._backend.info)
        self._config = config

    def __call__(self, image: ImageArray) -> FrameResult:
        """Segment one image.

        Args:
            image: RGB, uint8 (H, W, 3).

        Returns:
            The instances in descending score, with their label image.

        Raises:
            InputError: The array is no such image.
        """
        return self.segment(self.predict([image])[0])

    def predict(self, images: Sequence[ImageArray]) -> list[Prediction]:
        """The network's half of the way.

        One thread may predict the next images while another segments these.

        Args:
            images: 1 to `max_batch` images of one size, RGB, uint8 (H, W, 3).

        Returns:
            What the network predicts, per image.

        Raises:
            InputError: These are no such images.
        """
        config, backend = self.config, self._backend
        if not 1 <= len(images) <= backend.max_batch:
            raise InputError(f"expected 1 to {backend.max_batch} images, got {len(images)}")
        if len({image.shape for image in images}) > 1:
            raise InputError(f"images must be of one size, got {[i.shape for i in images]}")
        size = images[0].shape[:2]
        timer = _StageTimer()

        # images -> normalised network input (n, 3, h, w), aspect kept, padded right and below
        long_side = config.input_long_side or backend.info.long_side
        tensor, scale = backend.preprocess(images, long_side)
        timer.stop("preprocess")

        # network input -> class and affinity logits at 1/4, 1/8, ... down to the initial level
        levels = backend.info.levels_from(config.initial_level)
        logits = backend.infer(tensor, levels)
        timer.stop("inference")

        # logits -> class maps of the content, and on a GPU signed edge costs
        content = content_size(size, scale)
        pyramids = backend.affinity_pyramids(logits, content, config.segmentation_refinement)
        timer.stop("affinity")
        return [Prediction(pyramid, size, scale, dict(timer.stage_ms)) for pyramid in pyramids]

    def segment(self, prediction: Prediction, score_margin: float = 0.0) -> FrameResult:
        """The partition's half of the way, on the CPU.

        Args:
            prediction: The network's half.
            score_margin: How far below their threshold instances are returned, too.

        Returns:
            The instances of one image in descending score, with their label image.
        """
        config, info, pyramid = self.config, self._backend.info, prediction.pyramid
        timer = _StageTimer()

        # affinities and classes -> edge costs where they matter (Eq. 2-3, refined by Eq. 6-8) and
        # one label per cell of the finest level (Eq. 4-5, coarse to fine)
        report = CascadeReport()
        labels = self._partition(
            pyramid.edges.levels,
            pyramid.classes,
            scores=pyramid.edges.scores,
            max_ms=config.partition_budget_ms or None,
            report=report,
        )
        timer.stop("partition")

        # labels and class scores -> ranked instances with masks at source resolution
        masks, instances = extract_instances(
            labels,
            pyramid.classes[0],
            pyramid.probabilities,
            info.thing_ids,
            prediction.size,
            prediction.scale / info.levels[0],
            score_threshold=self.choice.thresholds - score_margin,
            min_area=config.min_instance_area,
            score_logistic=info.score_logistic,
        )
        timer.stop("instances")
        stage_ms = {**prediction.stage_ms, **timer.stage_ms}
        return FrameResult(masks, instances, stage_ms, report.complete)


class _StageTimer:
    """Milliseconds between successive calls of `stop`, by stage name."""

    def __init__(self) -> None:
        self.stage_ms: dict[str, float] = {}
        self._start = time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.stage_ms[stage] = 1e3 * (now - self._start)
        self._start = now
