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

"""Two processes that share each batch learn what one process learns."""

import os
import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import torch.multiprocessing as mp  # noqa: E402

from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.ssap import LEVELS  # noqa: E402
from ssap_ros.training.build import build_network, training_batches  # noqa: E402
from ssap_ros.training.losses import ssap_loss  # noqa: E402
from ssap_ros.training.parallel import (  # noqa: E402
    CpuSyncBatchNorm,
    Processes,
    distribute,
    join_processes,
)
from ssap_ros.training.settings import load_train_config  # noqa: E402

CONFIG = """
out: {out}
classes: [background, person, bicycle, car, motorcycle, bus, train, truck]
thing_ids: [1, 2, 3, 4, 5, 6, 7]
network: {{backbone: mobilenet_v2, decoder_width: 8, head_kernel: 3}}
loss: {{drop_rate: 0.0, alpha: 0.1}}
data: {{crop: 64, workers: 0, sources: [{{type: scenes}}]}}
optimiser: {{batch_size: 4, iterations: 2, learning_rate: 1.0e-3}}
"""


def one_step(config_path: Path, result: Path) -> None:
    """The gradients of the first batch and the statistics of the batch norms after it."""
    config = load_train_config(config_path)
    with join_processes() as processes:
        torch.manual_seed(0)
        # in double precision: batch norms of few pixels magnify rounding
        network = build_network(config).double()
        model = distribute(network, processes)
        batch = next(training_batches(config, 0, processes))
        # half of the first picture is unknown: the processes know unequally many pixels
        if processes.first:
            batch.classes[0, :32] = 255
        semantic, affinities = model(batch.image.double() / 127.5 - 1)
        loss, _ = ssap_loss(semantic, affinities, batch, LEVELS, config.loss)
        loss.backward()
        if processes.first:
            gradients = {name: p.grad for name, p in network.named_parameters()}
            torch.save({"gradients": gradients, "buffers": dict(network.named_buffers())}, result)


def process(rank: int, port: int, config_path: Path, result: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    one_step(config_path, result)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.timeout(300)
@pytest.mark.skipif(torch.cuda.is_available(), reason="tests the processes of a CPU")
def test_two_processes_have_the_gradients_of_one(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG.format(out=tmp_path))
    one_step(config, tmp_path / "one.pt")
    mp.spawn(process, (free_port(), config, tmp_path / "two.pt"), nprocs=2)
    one, two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("one", "two"))
    largest = max(float(g.norm()) for g in one["gradients"].values())
    for name, gradient in one["gradients"].items():
        off = float((two["gradients"][name] - gradient).norm())
        assert off < 1e-6 * float(gradient.norm()) + 1e-12 * largest, name
    for name, value in one["buffers"].items():
        torch.testing.assert_close(two["buffers"][name], value, msg=name)


def test_synchronised_batch_norm_of_bfloat16_keeps_its_statistics_in_float(tmp_path):
    x = (3 + 2 * torch.randn(4, 5, 8, 8, generator=torch.manual_seed(0))).bfloat16()
    plain, ours = torch.nn.BatchNorm2d(5), CpuSyncBatchNorm(5)
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        torch.testing.assert_close(ours(x), plain(x.float()))
    finally:
        torch.distributed.destroy_process_group()
    torch.testing.assert_close(dict(ours.named_buffers()), dict(plain.named_buffers()))


def test_a_batch_must_be_divisible(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG.format(out=tmp_path))
    with pytest.raises(InputError, match="4 cannot be shared among 3 processes"):
        training_batches(load_train_config(config), 0, Processes(0, 3, torch.device("cpu")))
