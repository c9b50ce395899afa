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

"""The training loop: learning rate by iterations or by time, checkpoints to resume from."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import math
import time
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn

from ssap_ros.common.outputs import adopt, claim_folder, output
from ssap_ros.errors import InputError
from ssap_ros.network.backbone import unfold_batch_norms
from ssap_ros.network.checkpoint import LOADING_ERRORS
from ssap_ros.network.ssap import LEVELS
from ssap_ros.training.build import (
    build_network,
    build_optimiser,
    set_training_mode,
    training_batches,
)
from ssap_ros.training.datasets import normalised
from ssap_ros.training.logger import LOG, TrainingLogger
from ssap_ros.training.losses import ssap_loss
from ssap_ros.training.parallel import Processes, distribute, from_first, join_processes
from ssap_ros.training.settings import OptimiserConfig, TrainConfig, load_train_config

_LOG = logging.getLogger(__name__)


def train(
    config_path: Path,
    resume: bool = False,
    data_root: Path | None = None,
    out: Path | None = None,
    minutes: float | None = None,
) -> Path:
    """Run the training that a configuration file describes.

    Writes checkpoint.pt, log.jsonl and tensorboard/ to the configuration's `out` folder. Started by
    torchrun, all processes share each batch and give the result of one.

    Args:
        config_path: YAML file of a `TrainConfig`.
        resume: go on from the checkpoint, whenever the run stopped.
        data_root: overrides data.root.
        out: overrides the configuration's.
        minutes: overrides optimiser.minutes.

    Returns:
        The checkpoint's path.

    Raises:
        InputError: the configuration is wrong, data are missing or the checkpoint to go on from
            is not one of such a run.
    """
    config = load_train_config(config_path)
    if data_root is not None:
        data = dataclasses.replace(config.data, root=str(data_root))
        config = dataclasses.replace(config, data=data)
    if out is not None:
        config = dataclasses.replace(config, out=str(out))
    if minutes is not None:
        optimiser = dataclasses.replace(config.optimiser, minutes=minutes)
        config = dataclasses.replace(config, optimiser=optimiser)
    with join_processes() as processes:
        return _train(config, resume, processes)


def _train(config: TrainConfig, resume: bool, processes: Processes) -> Path:
    out, device = Path(config.out), processes.device
    checkpoint = out / "checkpoint.pt"
    resume = resume and checkpoint.is_file()
    if processes.first and not resume:
        claim_folder(out, [checkpoint.name, LOG, "average_*.pt"])

    torch.manual_seed(config.seed)
    network = build_network(config).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (config.mean, config.std))
    state = None
    if resume:
        state = _resume(checkpoint, network, device)
        if processes.first:
            for file in (checkpoint, *out.glob(LOG), *out.glob("average_*.pt")):
                adopt(file)
    start = state["iteration"] if state else 0
    batches = training_batches(config, start, processes)
    if state is None and config.backbone_norm and config.pretrained.endswith(".npz"):
        first = next(batches)
        unfold_batch_norms(network.backbone, normalised(first.image.to(device), mean, std))
        batches = itertools.chain([first], batches)
    set_training_mode(network, config)
    model = distribute(network, processes)
    optimiser = build_optimiser(network, config)
    base_rates = [group["lr"] for group in optimiser.param_groups]
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    if state is not None:
        optimiser.load_state_dict(state["optimiser"])
        average = state["average"]
        if processes.first:
            _LOG.info("resumed at iteration %d", start)

    clock = Clock(config.optimiser, start, state["seconds"] if state else 0.0)
    logger = TrainingLogger(config, start, clock.share) if processes.first else None
    for iteration in range(start + 1, config.optimiser.iterations + 1):
        # the dropped pixels depend on the iteration alone, so a resumed run drops the same
        torch.manual_seed(_seed(config.seed, iteration, processes.rank))
        batch = next(batches).to(device)
        for group, rate in zip(optimiser.param_groups, base_rates, strict=True):
            group["lr"] = rate * learning_rate_factor(config.optimiser, iteration, clock.share)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
            semantic, affinities = model(normalised(batch.image, mean, std))
        loss, terms = ssap_loss(semantic, affinities, batch, LEVELS, config.loss)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        _update_average(average, network, config.optimiser.average, iteration)

        share_before = clock.share
        clock.tick(iteration, processes)
        last = clock.share >= 1
        if logger is not None:
            logger.losses(iteration, clock.share, loss, terms)
            for share in config.snapshots:
                if share_before < share <= clock.share:
                    snapshot = {"average": average, "config": dataclasses.asdict(config)}
                    _save(snapshot, out / f"average_{share:.2f}.pt")
            if iteration % config.checkpoint_every == 0 or last:
                logger.pictures(iteration, batch, semantic, affinities)
                whole = {
                    "iteration": iteration,
                    "seconds": clock.seconds,
                    "network": network.state_dict(),
                    "average": average,
                    "optimiser": optimiser.state_dict(),
                    "config": dataclasses.asdict(config),
                }
                _save(whole, checkpoint)
        if last:
            break
    if logger is not None:
        logger.close()
    return checkpoint


def _resume(checkpoint: Path, network: nn.Module, device: torch.device) -> dict[str, Any]:
    """Load the weights of a run that stopped.

    Returns:
        The rest of its state.

    Raises:
        InputError: It is the checkpoint of another network, or none.
    """
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        return {key: state[key] for key in ("iteration", "seconds", "average", "optimiser")}
    except LOADING_ERRORS as error:
        raise InputError(
            f"{checkpoint} is not the checkpoint of a run with this configuration: "
            f"{shorten(f'{type(error).__name__}: {error}', 200)}"
        ) from error


class Clock:
    """How much of a run is done, by iterations or, where it has a time limit, by time.

    Args:
        settings: Say when the run ends.
        iteration: Where the run goes on from.
        seconds: How long it took until there.
    """

    def __init__(self, settings: OptimiserConfig, iteration: int, seconds: float) -> None:
        self._settings = settings
        self._started = time.monotonic() - seconds
        self.seconds = seconds
        self.share = iteration / settings.iterations

    def tick(self, iteration: int, processes: Processes) -> None:
        """Note the end of an iteration. All processes go by the clock of the first."""
        self.seconds = time.monotonic() - self._started
        self.share = iteration / self._settings.iterations
        if self._settings.minutes:
            seconds = from_first(self.seconds, processes)
            self.share = max(self.share, seconds / 60 / self._settings.minutes)


def _seed(seed: int, iteration: int, rank: int) -> int:
    return (seed * 1_000_003 + iteration) * 4096 + rank


def _save(state: dict[str, Any], path: Path) -> None:
    """Write a file that is either the old one or the new one, whenever the process dies."""
    with output(path) as part:
        torch.save(state, part)


def learning_rate_factor(settings: OptimiserConfig, iteration: int, share: float) -> float:
    """Learning rate of an iteration against the configured one; share: of the run that is done."""
    warm = min(1.0, iteration / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "cosine":
        return warm * (1 + math.cos(math.pi * min(share, 1.0))) / 2
    return warm * 0.1 ** sum(iteration > m for m in settings.milestones)


@torch.no_grad()
def _update_average(
    average: dict[str, Tensor], network: nn.Module, decay: float, iteration: int
) -> None:
    decay = min(decay, iteration / (iteration + 10))  # follow closely at first
    means, values = [], []
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            means.append(average[name])
            values.append(value)
        else:
            average[name].copy_(value)
    torch._foreach_lerp_(means, values, 1 - decay)
