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

"""The training configuration (YAML) as dataclasses; unknown keys and wrong types are errors."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from ssap_ros.errors import InputError
from ssap_ros.network.ssap import LEVELS, NetworkConfig
from ssap_ros.training.losses import LossConfig
from ssap_ros.training.teacher import TeacherConfig

T = TypeVar("T")


@dataclass(frozen=True)
class SourceConfig:
    """One source of samples and its share of the items.

    Attributes:
        type: `coco` (instances: annotations, images), `coco_panoptic` (annotations, images),
            `cityscapes` (root, split), `folder` (pictures without labels: images) or `scenes`.
        cutouts: Of `coco`, also take its objects as cut-outs for pasting; share 0 means only that.
        complete_for: Of `coco`, by class name a JSON file and the name of the list in it,
            "FILE:LIST", of image ids in which all objects of that class are annotated.
        teacher: Let the teacher label what is not annotated. Always so for a `folder`.
    """

    type: str
    share: float = 1.0
    annotations: str = ""
    images: str = ""
    root: str = ""
    split: str = "train"
    cutouts: bool = False
    complete_for: dict[str, str] = field(default_factory=dict)
    teacher: bool = False


@dataclass(frozen=True)
class DataConfig:
    """Paths are relative to `root`.

    Attributes:
        crop: Height of the training crop in pixels.
        crop_width: Its width, 0 = the same.
        long_side: Pictures are first scaled to this longer side, 0 = they stay.
        scales: Range of zoom factors.
        paste_rate: Chance of pasting one more group of cut-outs.
        paste_weights: By class name.
        beside_rate: Chance of pasting one more object beside one that is there.
        in_memory: Keep the pictures of `coco` sources decoded.
    """

    root: str = "data"
    sources: tuple[SourceConfig, ...] = ()
    crop: int = 512
    crop_width: int = 0
    long_side: int = 0
    scales: tuple[float, float] = (0.5, 2.0)
    paste_rate: float = 0.0
    beside_rate: float = 0.0
    paste_weights: dict[str, float] = field(default_factory=dict)
    in_memory: bool = False
    workers: int = 2


@dataclass(frozen=True)
class OptimiserConfig:
    """NAdam and its learning rate.

    Attributes:
        schedule: "steps", multiplied by 0.1 at each milestone, or "cosine", to 0 at the end.
        minutes: The run also ends after this time, 0 = never; the cosine follows whichever of
            iterations and time is nearer its end.
        backbone_factor: Learning rate of the backbone against the rest.
        average: Decay of the running average of the weights, which is what gets exported; 0 = none.
    """

    batch_size: int = 24
    iterations: int = 70_000
    minutes: float = 0.0
    learning_rate: float = 1e-4
    schedule: Literal["steps", "cosine"] = "steps"
    milestones: tuple[int, ...] = (30_000, 50_000)
    warmup: int = 0
    weight_decay: float = 1e-4
    backbone_factor: float = 1.0
    average: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """Everything of one training run.

    Attributes:
        pretrained: Backbone weights, a file under data.root (.npz with folded batch norms, for the
            backbone nanodet also ncnn's .bin, or a PyTorch state).
        initial: A checkpoint of this program whose averaged weights the run starts from, or a model
            of `ssap export` (.onnx); a path under data.root or absolute.
        frozen_blocks: Leading backbone blocks that are not trained.
        backbone_norm: Train the backbone's batch norms; folded ones are unfolded first.
        bfloat16: Mixed precision.
        checkpoint_every, log_every: In iterations.
        snapshots: Shares of the run after which the averaged weights are kept apart, for means of
            checkpoints (`ssap export --average-with`).
    """

    classes: tuple[str, ...]
    thing_ids: tuple[int, ...]
    out: str = "runs/train"
    seed: int = 0
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    long_side: int = 512
    network: NetworkConfig = NetworkConfig()
    pretrained: str = ""
    initial: str = ""
    frozen_blocks: int = 0
    backbone_norm: bool = True
    bfloat16: bool = False
    loss: LossConfig = LossConfig()
    teacher: TeacherConfig = TeacherConfig()
    data: DataConfig = DataConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    checkpoint_every: int = 1000
    log_every: int = 20
    snapshots: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.loss.lambdas) != len(LEVELS):
            raise ValueError(f"loss.lambdas: expected {len(LEVELS)}, got {len(self.loss.lambdas)}")
        if self.data.crop % LEVELS[-1] or self.data.crop_width % LEVELS[-1]:
            raise ValueError(f"data: crops must be multiples of {LEVELS[-1]} pixels")
        if not all(0 <= i < len(self.classes) for i in self.thing_ids):
            raise ValueError(f"thing_ids must be class ids, got {list(self.thing_ids)}")


def load_train_config(path: Path) -> TrainConfig:
    """Read the configuration of a training from a YAML file.

    Returns:
        The configuration.

    Raises:
        InputError: A key is unknown, missing or incompatible; the message names it.
    """
    try:
        values = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the training configuration {path}: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    return _convert(TrainConfig, values, str(path))


def _convert(kind: Any, value: Any, where: str) -> Any:
    """`value`, read from YAML, as the annotated type `kind`."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _build(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where}: expected a list, got {value!r}")
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise InputError(f"{where}: expected {len(arguments)} values, got {len(value)}")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(_convert(k, v, f"{where}[{i}]") for i, (k, v) in pairs)
    if origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected a mapping, got {value!r}")
        return {str(k): _convert(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{where}: expected one of {list(arguments)}, got {value!r}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value


def _build(kind: type[T], values: Any, where: str) -> T:
    if not isinstance(values, dict):
        raise InputError(f"{where}: expected a mapping, got {values!r}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(str(key) for key in set(values) - set(hints))
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}, expected one of {sorted(hints)}")
    converted = {key: _convert(hints[key], v, f"{where}.{key}") for key, v in values.items()}
    try:
        return kind(**converted)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error
