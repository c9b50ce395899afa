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

"""One training run on several processes, as torchrun starts them, on one machine or many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process among those of a training run.

    Attributes:
        rank: Number of this process among `count`.
        device: What it computes on.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes of this run: those of torchrun, or this one alone.

    Each takes the GPU of its local number (NCCL), or the CPU where there is no GPU (Gloo).

    Yields:
        What this process needs to know of the others.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if count == 1:
        yield Processes(0, 1, device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()


def wait_for_all(processes: Processes) -> None:
    """Return when all processes have come here."""
    if processes.count > 1:
        dist.barrier()


def distribute(network: nn.Module, processes: Processes) -> nn.Module:
    """Share gradients and batch norms over the batch of all processes.

    Batch norms in evaluation mode stay there.

    Returns:
        The network to train.
    """
    if processes.count == 1:
        return network
    synchronise_batch_norm(network, processes.device)
    ids = [processes.device.index] if processes.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=ids)


def synchronise_batch_norm(network: nn.Module, device: torch.device) -> None:
    """Replace the batch norms by ones with the statistics of all processes, in place."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is not nn.BatchNorm2d:
                continue
            kind = nn.SyncBatchNorm if device.type == "cuda" else CpuSyncBatchNorm
            norm = kind(child.num_features, eps=child.eps, momentum=child.momentum)
            norm.to(child.weight).load_state_dict(child.state_dict())
            for own, theirs in zip(norm.parameters(), child.parameters(), strict=True):
                own.requires_grad_(theirs.requires_grad)
            setattr(parent, name, norm.train(child.training))


class CpuSyncBatchNorm(nn.BatchNorm2d):
    """Synchronised batch norm for the CPU, where PyTorch has none."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        x = x.to(self.weight.dtype)  # sums of bfloat16 would lose their digits
        count = x.new_tensor([x.numel() / x.shape[1]])
        total = _sum_over_processes(torch.cat([x.sum((0, 2, 3)), count]))
        n = total[-1].detach()
        mean = total[:-1] / n
        centred = x - mean[:, None, None]
        variance = _sum_over_processes((centred * centred).sum((0, 2, 3))) / n
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            momentum = self.momentum or 0.0
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * n / (n - 1), momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]


def _sum_over_processes(value: Tensor) -> Tensor:
    return _SumOverProcesses.apply(value)  # type: ignore[no-untyped-call]


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(_context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a number over all processes; the number itself where there is one."""
    if not (dist.is_available() and dist.is_initialized()):
        return value
    total = value.detach().to(torch.float32)
    dist.all_reduce(total)
    return total / dist.get_world_size()


def from_first(value: float, processes: Processes) -> float:
    """The number of the first process, in all of them."""
    if processes.count == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=processes.device)
    dist.broadcast(shared, src=0)
    return float(shared)
