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

"""Pretrained weights of backbones: what is loaded, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.ssap import NetworkConfig  # noqa: E402
from ssap_ros.training.build import build_network  # noqa: E402
from ssap_ros.training.settings import TrainConfig, load_train_config  # noqa: E402

CONFIG = """
out: out
classes: [background, person]
thing_ids: [1]
network: {backbone: mobilenet_v2, decoder_width: 8}
data: {sources: [{type: scenes}]}
optimiser: {iterations: 1}
"""


def config(folder: Path, backbone: str, file: str) -> TrainConfig:
    (folder / "c.yaml").write_text(CONFIG)
    read = load_train_config(folder / "c.yaml")
    return dataclasses.replace(
        read,
        network=NetworkConfig(backbone=backbone, decoder_width=8),
        data=dataclasses.replace(read.data, root=str(folder)),
        pretrained=file,
    )


def test_a_state_is_loaded_and_may_hold_more(tmp_path: Path) -> None:
    state = build_network(config(tmp_path, "mobilenet_v2", "")).backbone.state_dict()
    changed = {name: value + 1 for name, value in state.items()}
    torch.save({**changed, "classifier.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    loaded = build_network(config(tmp_path, "mobilenet_v2", "weights.pth")).backbone.state_dict()
    for name, value in loaded.items():
        torch.testing.assert_close(value, changed[name])


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "nanodet", "efficientnet_lite0", "resnet50"])
@pytest.mark.parametrize("kind", ["npz", "bin", "pth", "other network", "list"])
def test_weights_of_something_else_are_refused(tmp_path: Path, backbone: str, kind: str) -> None:
    file = f"weights.{kind if len(kind) == 3 else 'pth'}"
    if kind == "npz":
        np.savez(tmp_path / file, a=np.zeros(3))
    elif kind == "other network":
        torch.save({"a": torch.zeros(3)}, tmp_path / file)
    elif kind == "list":
        torch.save([1], tmp_path / file)
    else:
        (tmp_path / file).write_bytes(bytes(range(200)))
    expected = rf"{file}: expected weights of the backbone \w+: (?!.*{file})"
    with pytest.raises(InputError, match=expected) as refusal:
        build_network(config(tmp_path, backbone, file))
    assert "\n" not in str(refusal.value)
