"""The training loop: NAdam, stepped learning rate, checkpoints that a run can be resumed from."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ssap_ros.network.ssap import LEVELS
from ssap_ros.training.build import build_network, build_optimiser, training_batches
from ssap_ros.training.journal import Journal
from ssap_ros.training.losses import ssap_loss
from ssap_ros.training.parallel import Processes, distribute, join_processes
from ssap_ros.training.settings import TrainConfig, load_train_config


def train(config_path: Path, resume: bool = False, data_root: Path | None = None) -> Path:
    """Run the training that a configuration file describes.

    Writes checkpoint.pt, log.jsonl and tensorboard/ to the configuration's `out` folder and returns
    the checkpoint's path. `resume` goes on from that checkpoint exactly, whenever the run stopped.
    `data_root` overrides data.root. Started by torchrun, all processes share each batch and give
    the result of one. Raises InputError for a bad configuration or missing data.
    """
    config = load_train_config(config_path)
    if data_root is not None:
        data = dataclasses.replace(config.data, root=str(data_root))
        config = dataclasses.replace(config, data=data)
    with join_processes() as processes:
        return _train(config, resume, processes)


def _train(config: TrainConfig, resume: bool, processes: Processes) -> Path:
    out, steps, device = Path(config.out), config.optimiser.iterations, processes.device
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"

    torch.manual_seed(config.seed)
    network = build_network(config).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model = distribute(network, processes)
    optimiser = build_optimiser(network, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: _learning_rate(i, config))
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    start = 0
    if resume and checkpoint.is_file():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        average, start = state["average"], state["iteration"]
        if processes.first:
            print(f"resumed at iteration {start}", file=sys.stderr)

    batches = training_batches(config, start, processes)
    journal = Journal(config, start) if processes.first else None
    mean = torch.tensor(config.mean, device=device).view(3, 1, 1)
    std = torch.tensor(config.std, device=device).view(3, 1, 1)
    for iteration in range(start + 1, steps + 1):
        # the dropped pixels depend on the iteration alone, so a resumed run drops the same
        torch.manual_seed(_seed(config.seed, iteration, processes.rank))
        image, classes, ids = (t.to(device, non_blocking=True) for t in next(batches))
        normal = ((image - mean) / std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
            semantic, affinities = model(normal)
        loss, terms = ssap_loss(semantic, affinities, classes, ids, LEVELS, config.loss)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        _update_average(average, network, config.optimiser.average, iteration)

        if journal is None:
            continue
        journal.losses(iteration, loss, terms)
        if iteration % config.checkpoint_every == 0 or iteration == steps:
            journal.pictures(iteration, image, classes, semantic, affinities)
            state = {
                "iteration": iteration,
                "network": network.state_dict(),
                "average": average,
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "config": dataclasses.asdict(config),
            }
            _save(state, checkpoint)
    if journal is not None:
        journal.close()
    return checkpoint


def _seed(seed: int, iteration: int, rank: int) -> int:
    return (seed * 1_000_003 + iteration) * 4096 + rank


def _save(state: dict[str, Any], path: Path) -> None:
    """Write a file that is either the old one or the new one, whenever the process dies."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _learning_rate(iteration: int, config: TrainConfig) -> float:
    settings = config.optimiser
    warm = min(1.0, (iteration + 1) / settings.warmup) if settings.warmup else 1.0
    return warm * 0.1 ** sum(iteration >= m for m in settings.milestones)


@torch.no_grad()
def _update_average(
    average: dict[str, Tensor], network: nn.Module, decay: float, iteration: int
) -> None:
    decay = min(decay, iteration / (iteration + 10))  # follow closely at first
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)
