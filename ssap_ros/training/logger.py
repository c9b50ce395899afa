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

"""What a training run reports while it runs: lines on stderr, log.jsonl, TensorBoard."""

from __future__ import annotations

import colorsys
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ssap_ros.common.outputs import growing_output
from ssap_ros.network.ssap import LEVELS
from ssap_ros.training.datasets import Batch
from ssap_ros.training.samples import IGNORE_CLASS
from ssap_ros.training.settings import TrainConfig

LOG = "log.jsonl"
_LOG = logging.getLogger(__name__)


class TrainingLogger:
    """Losses per level, sample pictures, throughput and time left.

    Of several processes the first one writes, with the losses of its own share of the batch.

    Args:
        config: Of the run; its `out` gets log.jsonl and tensorboard/.
        start: The iteration that the run goes on from; what an interrupted run wrote after it is
            dropped.
        share: Of the run done by then.
    """

    def __init__(self, config: TrainConfig, start: int, share: float) -> None:
        self._batch_size = config.optimiser.batch_size
        self._every = config.log_every
        folder = Path(config.out)
        self._log = growing_output(folder / LOG)
        kept = []
        if start and self._log.is_file():
            lines = self._log.read_text().splitlines()
            kept = [line for line in lines if _iteration(line) <= start]
        self._log.write_text("".join(f"{line}\n" for line in kept))
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)
        self._clock = self._began = time.monotonic()
        self._since, self._share = start, share

    def losses(self, iteration: int, share: float, loss: Tensor, terms: dict[str, Tensor]) -> None:
        """Note the losses of an iteration, if it is one to be noted; share: of the run done."""
        if iteration % self._every:
            return
        now = time.monotonic()
        speed = (iteration - self._since) / (now - self._clock)
        left = (now - self._began) * (1 - share) / max(share - self._share, 1e-9)
        self._clock, self._since = now, iteration
        values = {"loss": loss.item(), **{name: term.item() for name, term in terms.items()}}
        with self._log.open("a") as log:
            log.write(json.dumps({"iteration": iteration, **values}) + "\n")
        for name, value in values.items():
            self._writer.add_scalar(f"losses/{name}", value, iteration)
        self._writer.add_scalar("images per second", speed * self._batch_size, iteration)
        kinds = [
            f"{kind} " + " ".join(f"{values[f'{kind}_{level}']:.3f}" for level in LEVELS)
            for kind in ("semantic", "affinity")
            if f"{kind}_{LEVELS[0]}" in values
        ]
        _LOG.info(
            f"{iteration} {share:.1%} loss {values['loss']:.3f} | {' | '.join(kinds)} | "
            f"{speed:.2f} it/s, {speed * self._batch_size:.1f} images/s, "
            f"{left / 60:.0f} min left"
        )

    def pictures(
        self,
        iteration: int,
        batch: Batch,
        semantic: Sequence[Tensor],
        affinities: Sequence[Tensor],
    ) -> None:
        """Show the first picture of a batch: itself, true and predicted classes, affinities.

        Args:
            iteration: When it was.
            batch: With its truth.
            semantic: Logits per level.
            affinities: Logits per level, shown as their mean over the window.
        """
        image, classes = batch.image, batch.classes
        size = image.shape[2:]
        predicted = _enlarged(semantic[0][:1].argmax(1)[:, None].float(), size)[0, 0].long()
        panels = [image[0].cpu(), _coloured(classes[0].cpu()), _coloured(predicted.cpu())]
        for logits in affinities[::2]:
            grey = _enlarged(torch.sigmoid(logits[:1].float()).mean(1, keepdim=True), size)[0]
            panels.append((grey * 255).to(torch.uint8).expand(3, -1, -1).cpu())
        self._writer.add_image("sample", torch.cat(panels, dim=2), iteration)

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


def _iteration(line: str) -> int:
    """The iteration of a line of the log; of half a line, as a kill may leave it, a large one."""
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, LookupError, TypeError):
        return sys.maxsize


def _enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    return torch.nn.functional.interpolate(maps, tuple(size), mode="nearest")


def _coloured(classes: Tensor) -> Tensor:
    """A colour per class, uint8 (3, H, W); the first class and what is unknown are dark."""
    colours = np.zeros((IGNORE_CLASS + 1, 3))
    colours[1:-2] = [
        colorsys.hsv_to_rgb(k * 0.6180339887 % 1, 0.8, 1) for k in range(1, len(colours) - 2)
    ]
    picture = (colours * 255).astype(np.uint8)[classes.numpy()]
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
