"""The training loop: NAdam, stepped learning rate, checkpoints that a run can be resumed from."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ssap_ros.errors import InputError
from ssap_ros.network.backbones import load_folded_weights
from ssap_ros.network.ssap import LEVELS, SsapNetwork
from ssap_ros.training.datasets import CocoSource, SceneSource, Source, TrainingSet
from ssap_ros.training.losses import ssap_loss
from ssap_ros.training.settings import TrainConfig, load_train_config
from ssap_ros.training.teacher import VocTeacher

LOG_EVERY = 20


def train(config_path: Path, resume: bool = False, data_root: Path | None = None) -> Path:
    """Run the training that a configuration file describes.

    Writes checkpoint.pt and log.jsonl (one line of losses every LOG_EVERY iterations) to the
    configuration's `out` folder and returns the checkpoint's path. `data_root` overrides data.root.
    Raises InputError for a bad configuration or missing data.
    """
    config = load_train_config(config_path)
    if data_root is not None:
        data = dataclasses.replace(config.data, root=str(data_root))
        config = dataclasses.replace(config, data=data)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint_path = out / "checkpoint.pt"

    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build_network(config).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = build_optimiser(network, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: _learning_rate(i, config))
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    start, rng = 0, torch.get_rng_state()
    if resume and checkpoint_path.is_file():
        state = torch.load(checkpoint_path, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        average, start = state["average"], state["iteration"]
        rng = state["rng"].cpu()
        print(f"resumed at iteration {start}", file=sys.stderr)

    batches = training_batches(config, start)
    torch.set_rng_state(rng)  # making the batches has drawn from it
    mean = torch.tensor(config.mean, device=device).view(3, 1, 1)
    std = torch.tensor(config.std, device=device).view(3, 1, 1)
    steps = config.optimiser.iterations
    clock = time.monotonic()
    with (out / "log.jsonl").open("a" if start else "w") as log:
        for iteration in range(start + 1, steps + 1):
            image, classes, ids = (t.to(device, non_blocking=True) for t in next(batches))
            image = ((image - mean) / std).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
                semantic, affinities = network(image)
            loss, terms = ssap_loss(semantic, affinities, classes, ids, LEVELS, config.loss)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            _update_average(average, network, config.optimiser.average, iteration)

            if iteration % LOG_EVERY == 0:
                speed = LOG_EVERY / (time.monotonic() - clock)
                clock = time.monotonic()
                values = {name: term.item() for name, term in terms.items()}
                _report(log, iteration, steps, loss.item(), values, speed)
            if iteration % config.checkpoint_every == 0 or iteration == steps:
                state = {
                    "iteration": iteration,
                    "network": network.state_dict(),
                    "average": average,
                    "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(),
                    "rng": torch.get_rng_state(),
                    "config": dataclasses.asdict(config),
                }
                partial = checkpoint_path.with_suffix(".partial")
                torch.save(state, partial)
                partial.replace(checkpoint_path)
    return checkpoint_path


def build_network(config: TrainConfig) -> SsapNetwork:
    """The network with its pretrained weights, frozen blocks and batch norm mode."""
    network = SsapNetwork(config.network, len(config.classes))
    if config.pretrained:
        path = Path(config.data.root) / config.pretrained
        if not path.is_file():
            raise InputError(f"expected pretrained weights, found none at {path}")
        if path.suffix == ".npz":
            load_folded_weights(network.backbone, path)
            if network.context is not None:
                network.context.load_deeplab(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            network.backbone.load_state_dict(state, strict=False)
    if config.initial:
        path = Path(config.data.root) / config.initial
        if not path.is_file():
            raise InputError(f"expected an initial checkpoint, found none at {path}")
        _start_from(network, torch.load(path, map_location="cpu", weights_only=True)["average"])
    for block in network.backbone.blocks()[: config.frozen_blocks]:
        block.requires_grad_(False)
    network.train()
    if not config.backbone_norm:
        for module in network.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    return network


def _start_from(network: SsapNetwork, weights: dict[str, Tensor]) -> None:
    """Load what fits; a head for other classes, for one, starts anew and is named."""
    own = network.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    network.load_state_dict(fitting, strict=False)
    for name in sorted(own.keys() - fitting.keys()):
        print(f"not in the initial checkpoint, starts anew: {name}", file=sys.stderr)


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


def training_batches(config: TrainConfig, start: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of iteration start + 1, start + 2, ... to the last."""
    data, batch = config.data, config.optimiser.batch_size
    root = Path(data.root)
    sources: list[tuple[Source, float]] = []
    cutouts = []
    for entry in data.sources:
        if entry.type == "coco":
            teacher = VocTeacher(root / entry.teacher, config.classes) if entry.teacher else None
            coco = CocoSource(
                root / entry.annotations, root / entry.images, config.classes, teacher
            )
            if entry.cutouts:
                cutouts += coco.cutouts(min_area=900)
            source: Source = coco
        elif entry.type == "scenes":
            source = SceneSource((data.crop, data.crop * 5 // 4))
        else:
            raise InputError(f"source type must be coco or scenes, got {entry.type!r}")
        if entry.share > 0:
            sources.append((source, entry.share))
    dataset = TrainingSet(
        sources,
        cutouts,
        {config.classes.index(name): weight for name, weight in data.paste_weights.items()},
        data.paste_rate,
        data.crop,
        data.scales,
        config.seed,
        config.optimiser.iterations * batch,
    )
    loader = DataLoader(
        dataset,
        batch_size=batch,
        sampler=range(start * batch, len(dataset)),
        num_workers=data.workers,
        worker_init_fn=_single_threaded,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


def _single_threaded(_worker: int) -> None:
    cv2.setNumThreads(0)


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


def _report(
    log: Any, iteration: int, steps: int, loss: float, terms: dict[str, float], speed: float
) -> None:
    log.write(json.dumps({"iteration": iteration, "loss": loss, **terms}) + "\n")
    log.flush()
    left = (steps - iteration) / speed / 60
    semantic = " ".join(f"{terms[f'semantic_{s}']:.3f}" for s in LEVELS)
    affinity = " ".join(f"{terms[f'affinity_{s}']:.3f}" for s in LEVELS)
    print(
        f"{iteration}/{steps} loss {loss:.3f} | semantic {semantic} | affinity {affinity} | "
        f"{speed:.2f} it/s, {left:.0f} min left",
        file=sys.stderr,
        flush=True,
    )
