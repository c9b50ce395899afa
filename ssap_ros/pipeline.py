"""One camera image -> its object instances. This page tells the whole way; it knows no ROS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ssap_ros.affinity import affinity_pyramid
from ssap_ros.backends.base import InferenceBackend
from ssap_ros.config import SsapConfig
from ssap_ros.instances import extract_instances
from ssap_ros.partition import cascaded_graph_partition
from ssap_ros.preprocess import content_size, preprocess
from ssap_ros.types import ClassArray, FloatArray, FrameResult, ImageArray, LabelArray

Partition = Callable[[Sequence[FloatArray], Sequence[ClassArray]], LabelArray]


class SsapPipeline:
    """Instance segmentation of single images.

    backend: the loaded network.
    config: the settings; replace `pipeline.config` to change those that are live between frames.
    partition: groups the pixels, from costs and class maps per level (finest first) to labels of
        the finest level, int32 (h, w), 0 = background, 1..N.
    """

    def __init__(
        self,
        backend: InferenceBackend,
        config: SsapConfig,
        partition: Partition = cascaded_graph_partition,
    ) -> None:
        self._backend = backend
        self._partition = partition
        self.config = config

    @property
    def config(self) -> SsapConfig:
        """The settings in use. Assigning ones that the network cannot serve raises ValueError."""
        return self._config

    @config.setter
    def config(self, config: SsapConfig) -> None:
        levels = self._backend.info.levels
        if config.initial_level not in levels:
            raise ValueError(f"initial_level must be one of {levels}, got {config.initial_level}")
        self._config = config

    def __call__(self, image: ImageArray) -> FrameResult:
        """The instances of `image`, uint8 (H, W, 3) RGB. Raises ValueError for another array."""
        config, info = self.config, self._backend.info
        size = image.shape[:2]
        timer = _StageTimer()

        # image -> normalised network input (1, 3, h, w), aspect kept, padded right and below
        tensor, scale = preprocess(image, info, config.input_long_side or info.long_side)
        timer.stop("preprocess")

        # network input -> class and affinity logits at 1/4, 1/8, ... down to the initial level
        levels = [level for level in info.levels if level <= config.initial_level]
        logits = self._backend.infer(tensor, levels)
        timer.stop("inference")

        # logits -> signed edge costs (Eq. 2-3, refined by Eq. 6-8) and class maps of the content
        content = content_size(size, scale)
        pyramid = affinity_pyramid(logits, info, content, config.segmentation_refinement)
        timer.stop("affinity")

        # costs and classes -> one label per cell of the finest level (Eq. 4-5, coarse to fine)
        labels = self._partition(pyramid.costs, pyramid.classes)
        timer.stop("partition")

        # labels and class scores -> ranked instances with masks at source resolution
        masks, instances = extract_instances(
            labels,
            pyramid.classes[0],
            pyramid.probabilities,
            info.thing_ids,
            size,
            scale / info.levels[0],
            score_threshold=config.score_threshold,
            min_area=config.min_instance_area,
        )
        timer.stop("instances")
        return FrameResult(masks, instances, timer.stage_ms)


class _StageTimer:
    """Milliseconds between successive calls of `stop`, by stage name."""

    def __init__(self) -> None:
        self.stage_ms: dict[str, float] = {}
        self._start = time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.stage_ms[stage] = 1e3 * (now - self._start)
        self._start = now
