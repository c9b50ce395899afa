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

"""Network, optimiser and data of a training run, as its configuration says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ssap_ros.data.cityscapes import CityscapesSet
from ssap_ros.data.coco_panoptic import CocoPanopticSet
from ssap_ros.data.image_files import image_files
from ssap_ros.errors import InputError, one_line
from ssap_ros.network.backbone import is_folded, load_folded_weights
from ssap_ros.network.checkpoint import LOADING_ERRORS, load_network
from ssap_ros.network.exported import load_exported
from ssap_ros.network.nanodet import NanoDet, load_ncnn_weights
from ssap_ros.network.ssap import SsapNetwork
from ssap_ros.training.augment import Cutout
from ssap_ros.training.datasets import Batch, TrainingSet
from ssap_ros.training.parallel import Processes, wait_for_all
from ssap_ros.training.settings import DataConfig, SourceConfig, TrainConfig
from ssap_ros.training.sources import (
    CocoSource,
    FolderSource,
    SceneSource,
    SetSource,
    Source,
    Teacher,
)
from ssap_ros.training.teacher import read_boxes, soft_labels

_LOG = logging.getLogger(__name__)

_MIN_CUTOUT_AREA = 900.0  # square pixels of its box


def build_network(config: TrainConfig) -> SsapNetwork:
    """Build the network with its pretrained weights and frozen blocks.

    Returns:
        It, on the CPU.

    Raises:
        InputError: A file of weights is missing, or of another network.
    """
    network = SsapNetwork(config.network, len(config.classes))
    if config.pretrained:
        _load_pretrained(network, Path(config.data.root) / config.pretrained)
    if config.initial:
        path = Path(config.data.root) / config.initial
        if not path.is_file():
            raise InputError(f"expected an initial checkpoint or model, found none at {path}")
        if path.suffix == ".onnx":
            for name in load_exported(network, path):
                _LOG.info("not in the initial model, initialised: %s", name)
        else:
            _start_from(network, load_network(path)[0].state_dict())
    for block in network.backbone.blocks()[: config.frozen_blocks]:
        block.requires_grad_(False)
    return network


def _load_pretrained(network: SsapNetwork, path: Path) -> None:
    """Load the weights of the backbone, and of the context where the file has them."""
    if not path.is_file():
        raise InputError(f"expected pretrained weights, found none at {path}")
    backbone = network.backbone
    try:
        if path.suffix == ".npz":
            load_folded_weights(backbone, path)
            if network.context is not None:
                network.context.load_deeplab(path)
        elif path.suffix == ".bin" and isinstance(backbone, NanoDet):
            load_ncnn_weights(backbone, path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            found = backbone.load_state_dict(state, strict=False)  # it may have a classifier too
            if found.missing_keys:
                raise ValueError(f"no {found.missing_keys[0]}")
    except (OSError, *LOADING_ERRORS) as error:
        reason = one_line(error).removeprefix(f"{path}: ")
        kind = type(backbone).__name__
        raise InputError(f"{path}: expected weights of the backbone {kind}: {reason}") from error


def set_training_mode(network: SsapNetwork, config: TrainConfig) -> None:
    """Everything trains, but not folded batch norms, which an exported model has and what was
    trained from one, nor those of the backbone where the configuration says so.
    """
    network.train()
    fixed = () if config.backbone_norm else set(network.backbone.modules())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and (module in fixed or is_folded(module)):
            module.eval()


def _start_from(network: SsapNetwork, weights: dict[str, Tensor]) -> None:
    """Load what fits; a head for other classes, for one, starts untrained and is named."""
    own = network.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    network.load_state_dict(fitting, strict=False)
    for name in sorted(own.keys() - fitting.keys()):
        _LOG.info("not in the initial checkpoint, initialised: %s", name)


def build_optimiser(network: SsapNetwork, config: TrainConfig) -> torch.optim.Optimizer:
    """NAdam over the trainable weights, backbone and context at their own learning rate."""
    settings = config.optimiser
    pretrained = [network.backbone] + ([network.context] if network.context else [])
    backbone = {id(p) for module in pretrained for p in module.parameters()}
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if id(p) not in backbone]},
        {
            "params": [p for p in trainable if id(p) in backbone],
            "lr": settings.learning_rate * settings.backbone_factor,
        },
    ]
    return torch.optim.NAdam(
        groups,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        decoupled_weight_decay=True,
    )


def training_batches(config: TrainConfig, start: int, processes: Processes) -> Iterator[Batch]:
    """The share of a process in the batches of iterations start + 1, start + 2, ... to the last."""
    batch = config.optimiser.batch_size
    if batch % processes.count:
        raise InputError(f"a batch of {batch} cannot be shared among {processes.count} processes")
    if not processes.first:
        wait_for_all(processes)  # the first one makes what the others read
    dataset = training_set(config)
    if processes.first:
        wait_for_all(processes)
    part = batch // processes.count
    order = [
        iteration * batch + processes.rank * part + i
        for iteration in range(start, config.optimiser.iterations)
        for i in range(part)
    ]
    loader = DataLoader(
        dataset,
        batch_size=part,
        sampler=order,
        num_workers=config.data.workers,
        worker_init_fn=_single_threaded,
        pin_memory=processes.device.type == "cuda",
    )
    return iter(loader)


def training_set(config: TrainConfig) -> TrainingSet:
    """Open the sources of a configuration.

    Returns:
        The sources, mixed.

    Raises:
        InputError: Data are missing.
    """
    data = config.data
    sources: list[tuple[Source, float]] = []
    cutouts: list[Cutout] = []
    for entry in data.sources:
        source = _open_source(entry, config)
        if isinstance(source, CocoSource):
            if data.in_memory:
                source.decode()
            if entry.cutouts:
                cutouts += source.cutouts(_MIN_CUTOUT_AREA)
        if entry.share > 0:
            sources.append((source, entry.share))
    if not sources:
        raise InputError("data.sources: expected at least one source with a share above 0")
    if unknown := sorted(set(data.paste_weights) - set(config.classes)):
        raise InputError(f"data.paste_weights: {unknown[0]!r} is none of the classes")
    return TrainingSet(
        sources,
        cutouts,
        {config.classes.index(name): weight for name, weight in data.paste_weights.items()},
        data.paste_rate,
        data.beside_rate,
        (data.crop, data.crop_width or data.crop),
        data.long_side,
        data.scales,
        len(config.classes),
        config.seed,
        config.optimiser.iterations * config.optimiser.batch_size,
    )


def _open_source(entry: SourceConfig, config: TrainConfig) -> Source:
    root = Path(config.data.root)
    if entry.type == "scenes":
        return SceneSource(_scene_size(config.data))
    if entry.type == "coco":
        source = CocoSource(
            root / entry.annotations,
            root / entry.images,
            config.classes,
            {name: _read_list(root, where) for name, where in entry.complete_for.items()},
        )
        if entry.teacher:
            source.teacher = _teacher(source.incomplete(), source.class_of, config)
        return source
    if entry.type == "folder":
        pictures = _pictures(root / entry.images)
        return FolderSource(pictures, _teacher(list(enumerate(pictures)), {}, config))
    if entry.type == "coco_panoptic":
        images = CocoPanopticSet(root / entry.annotations, root / entry.images, config.classes)
        return _checked(SetSource(images), config)
    if entry.type == "cityscapes":
        return _checked(SetSource(CityscapesSet(root / entry.root, entry.split)), config)
    known = "coco, coco_panoptic, cityscapes, folder or scenes"
    raise InputError(f"source type must be {known}, got {entry.type!r}")


def _teacher(
    pictures: Sequence[tuple[int, Path]], class_of: Mapping[int, int], config: TrainConfig
) -> Teacher:
    teacher, root = config.teacher, Path(config.data.root)
    if not teacher.semantic:
        raise InputError("a source asks for a teacher: expected teacher.semantic, got none")
    boxes = {}
    if teacher.boxes and class_of:
        boxes = read_boxes(root / teacher.boxes, class_of, teacher.box_score)
    cache = root / teacher.cache if teacher.cache else Path(config.out)
    return Teacher(soft_labels(pictures, teacher, root, config.classes, cache), boxes)


def _pictures(folder: Path) -> list[Path]:
    found = image_files(folder)
    if not found:
        raise InputError(f"expected a folder of pictures, found none in {folder}")
    return found


def _read_list(root: Path, where: str) -> frozenset[int]:
    """The image ids of `SourceConfig.complete_for`."""
    name, _, key = where.rpartition(":")
    try:
        return frozenset(int(number) for number in json.loads((root / name).read_bytes())[key])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"complete_for: expected FILE:LIST with a list of image ids, got {where!r}: {error!r}"
        ) from error


def _checked(source: SetSource, config: TrainConfig) -> SetSource:
    """The source, once it is known to have the classes of the configuration."""
    images = source.images
    if images.classes != config.classes or images.thing_ids != config.thing_ids:
        raise InputError(
            f"classes and thing_ids must be those of the data, {list(images.classes)} and "
            f"{list(images.thing_ids)}"
        )
    return source


def _scene_size(data: DataConfig) -> tuple[int, int]:
    return data.crop, (data.crop_width or data.crop) * 5 // 4


def _single_threaded(_worker: int) -> None:
    cv2.setNumThreads(0)
