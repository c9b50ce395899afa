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

"""Exported weights come back: the network then gives what the model gives."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import yaml

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.backends.resources import default_model_path  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.exported import load_exported  # noqa: E402
from ssap_ros.network.ssap import NetworkConfig, SsapNetwork  # noqa: E402

OWN = yaml.safe_load((Path(__file__).parents[2] / "config" / "train_own.yaml").read_text())
SHIPPED = NetworkConfig(**OWN["network"])


def test_the_shipped_model_goes_on_where_it_ended():
    torch.manual_seed(0)
    network = SsapNetwork(SHIPPED, 8)
    assert load_exported(network, default_model_path()) == []
    picture = np.random.default_rng(0).standard_normal((1, 3, 128, 192)).astype(np.float32)
    session = ort.InferenceSession(str(default_model_path()))
    expected = session.run(None, {session.get_inputs()[0].name: picture})
    with torch.no_grad():
        semantic, affinities = network(torch.from_numpy(picture))
    for wanted, got in zip(expected, [*semantic, *affinities], strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-3)


def test_heads_for_other_classes_keep_their_own_weights():
    network = SsapNetwork(SHIPPED, 3)
    kept = load_exported(network, default_model_path())
    assert len(kept) == 5, "the last layer of the semantic head of every level"
    assert all(name.startswith("semantic") for name in kept)


def test_another_structure_and_no_model_are_refused(tmp_path):
    network = SsapNetwork(NetworkConfig(backbone="mobilenet_v2", decoder_width=16), 8)
    with pytest.raises(InputError, match="must be a float32 model with the"):
        load_exported(network, default_model_path())
    file = tmp_path / "none.onnx"
    file.write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not an ONNX model"):
        load_exported(network, file)
