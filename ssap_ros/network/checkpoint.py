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

"""Training checkpoints, read back: the network with its averaged weights."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import torch

from ssap_ros.errors import InputError
from ssap_ros.network.ssap import NetworkConfig, SsapNetwork

# what PyTorch and NumPy raise for a file that holds something else
LOADING_ERRORS = (
    *(LookupError, RuntimeError, TypeError, ValueError),
    *(EOFError, UnpicklingError, BadZipFile),
)


def load_network(*checkpoints: Path) -> tuple[SsapNetwork, dict[str, Any]]:
    """Load the network of a training checkpoint with its averaged weights.

    Of several checkpoints the mean of their weights and the configuration of the first are taken: a
    "model soup" (Wortsman et al., ICML 2022), often better than each of the fine-tuned models in
    it.

    Returns:
        The network and its configuration.

    Raises:
        InputError: A file cannot be read or is no checkpoint, or their networks differ.
    """
    loaded = [_load_checkpoint(path) for path in checkpoints]
    network, config = loaded[0]
    for path, (other, other_config) in zip(checkpoints, loaded, strict=True):
        if other.config != network.config or other_config["classes"] != config["classes"]:
            raise InputError(f"{path} has another network or other classes than {checkpoints[0]}")
    states = [other.state_dict() for other, _ in loaded]
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        for name, value in states[0].items()
    }
    network.load_state_dict(mean)
    return network, config


def _load_checkpoint(path: Path) -> tuple[SsapNetwork, dict[str, Any]]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        config = state["config"]
        network = SsapNetwork(NetworkConfig(**config["network"]), len(config["classes"]))
        network.load_state_dict(state["average"])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except LOADING_ERRORS as error:
        raise InputError(f"{path} is not a training checkpoint: {error!r}") from error
    return network, config
