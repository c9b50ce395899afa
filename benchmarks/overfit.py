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

"""Can the network learn eight procedural pictures by heart? Loss, targets, partition and metrics
fit each other only if it can: AP above 0.9 on the very pictures that it was trained on.

    .venv/bin/python benchmarks/overfit.py [--out out/overfit] [--minutes 12]

Needs PyTorch (environment/requirements-train.txt); minutes on two CPU cores. The pictures are small
and the network sees them four times enlarged, so that its grid of 1/4 is that of their pixels and
does not limit the score. Exit code 0 if the goal is reached.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.data.annotated import AnnotatedImage
from ssap_ros.data.scene_set import SceneSet
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.predict import PredictionSettings, Predictor
from ssap_ros.network.export import write_onnx
from ssap_ros.network.ssap import LEVELS, NetworkConfig, SsapNetwork
from ssap_ros.training.datasets import Batch
from ssap_ros.training.losses import LossConfig, ssap_loss
from ssap_ros.training.samples import CERTAIN, VOID, sample_of
from ssap_ros.types import ModelInfo

GOAL = 0.9
SIZE, ENLARGED = (64, 80), 4
MIN_PIXELS = 350  # of every object
CHECK_EVERY = 25
MEAN = STD = 127.5


def pictures(count: int) -> list[AnnotatedImage]:
    """The first scenes with two objects or more, all of them large enough to be seen."""
    chosen: list[AnnotatedImage] = []
    seed = 0
    while len(chosen) < count:
        picture = SceneSet(seed, 1, SIZE).read(0)
        areas = np.bincount(picture.truth.ids.ravel())[1:-1]
        if len(areas) >= 2 and areas.min() >= MIN_PIXELS:
            chosen.append(picture)
        seed += 1
    return chosen


def batch_of(chosen: list[AnnotatedImage]) -> Batch:
    """All pictures enlarged, padded as the pipeline does it, and normalised."""
    images, classes, ids = [], [], []
    height, width = (side * ENLARGED for side in SIZE)
    below, right = -height % LEVELS[-1], -width % LEVELS[-1]
    for image, truth in chosen:
        sample = sample_of(image, truth, SceneSet.thing_ids)
        large = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        normal = np.pad((large - MEAN) / STD, ((0, below), (0, right), (0, 0)))
        images.append(normal.transpose(2, 0, 1).astype(np.float32))
        labels = np.kron(sample.instances, np.ones((ENLARGED, ENLARGED), np.int32))
        ids.append(np.pad(labels, ((0, below), (0, right)), constant_values=VOID))
        target = np.kron(sample.semantic_target(), np.ones((ENLARGED, ENLARGED), np.uint8))
        classes.append(np.pad(target, ((0, below), (0, right)), constant_values=255))
    target = torch.from_numpy(np.stack(classes).astype(np.uint8))
    return Batch(
        torch.from_numpy(np.stack(images)),
        target,
        torch.full_like(target, CERTAIN),
        torch.from_numpy(np.stack(ids).astype(np.int16)),
        torch.ones(len(chosen), len(SceneSet.classes), dtype=torch.bool),
    )


def precision(network: SsapNetwork, chosen: list[AnnotatedImage], path: Path) -> dict[str, float]:
    """AP and AP50 of the exported network through the whole pipeline."""
    info = ModelInfo(
        classes=SceneSet.classes,
        thing_ids=SceneSet.thing_ids,
        levels=LEVELS,
        window=network.config.window,
        mean=(MEAN,) * 3,
        std=(STD,) * 3,
        input_size=None,
        long_side=max(SIZE) * ENLARGED,
    )
    write_onnx(network, info, path)
    network.train()
    settings = PredictionSettings(SsapConfig(min_instance_area=1))
    predictor = Predictor(settings, OnnxRuntimeBackend(path))
    metric = CocoAveragePrecision(dict(enumerate(SceneSet.classes[1:], start=1)))
    for image, truth in chosen:
        metric.add(predictor(image).instances, truth)
    result = metric.result()
    return {name: result[name] for name in ("AP", "AP50")}


def main() -> int:
    """Train until the goal is reached or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/overfit"))
    parser.add_argument("--minutes", type=float, default=12.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(0)
    chosen = pictures(8)
    batch = batch_of(chosen)
    network = SsapNetwork(NetworkConfig("resnet18", 48, head_kernel=3), len(SceneSet.classes))
    network.train().to(memory_format=torch.channels_last)
    image = batch.image.contiguous(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3  # the same batch again and again
    optimiser = torch.optim.NAdam(network.parameters(), lr=2e-3)
    loss_config = LossConfig(alpha=0.06)
    begin, step, history = time.monotonic(), 0, []
    best = 0.0
    while best < GOAL and time.monotonic() - begin < 60 * options.minutes:
        step += 1
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * 0.5 ** (step // 100)
        with torch.autocast("cpu", torch.bfloat16):
            semantic, affinities = network(image)
        loss, _ = ssap_loss(semantic, affinities, batch, LEVELS, loss_config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % CHECK_EVERY == 0:
            scores = precision(network, chosen, options.out / "model.onnx")
            best = scores["AP"]
            minutes = (time.monotonic() - begin) / 60
            history.append({"step": step, "loss": loss.item(), "minutes": minutes, **scores})
            print(
                f"step {step}: loss {loss.item():.3f}, AP {best:.3f}, AP50 {scores['AP50']:.3f}, "
                f"{minutes:.1f} min",
                flush=True,
            )
            (options.out / "overfit.json").write_text(json.dumps(history, indent=2) + "\n")
    print(f"AP {best:.3f}, goal {GOAL}: {'reached' if best >= GOAL else 'NOT reached'}")
    return 0 if best >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
