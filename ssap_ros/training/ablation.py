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

"""The rows of the paper's Table 6: what balance, object weight and head kernel bring."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from ssap_ros.network.export import export_onnx
from ssap_ros.training.settings import load_train_config
from ssap_ros.training.train import train

_LOG = logging.getLogger(__name__)

# name, the paper's scores, and what differs from the last row
ROWS: tuple[tuple[str, dict[str, float], dict[str, dict[str, Any]]], ...] = (
    (
        "kernel 3",
        {"AP": 29.1, "PQ_th": 46.4, "PQ": 55.8},
        {"loss": {"drop_rate": 0.0, "object_weight": 1.0}, "network": {"head_kernel": 3}},
    ),
    (
        "+ balance",
        {"AP": 30.0, "PQ_th": 48.8, "PQ": 56.0},
        {"loss": {"object_weight": 1.0}, "network": {"head_kernel": 3}},
    ),
    (
        "+ balance, weight",
        {"AP": 31.3, "PQ_th": 49.0, "PQ": 56.5},
        {"network": {"head_kernel": 3}},
    ),
    ("+ both, kernel 5", {"AP": 31.5, "PQ_th": 49.2, "PQ": 56.6}, {}),
)


def train_rows(
    config_path: Path, data_root: Path | None
) -> list[tuple[str, dict[str, float], Path]]:
    """Train and export the network of every row.

    Args:
        config_path: The configuration of the last row, with the paper's balance, weight and kernel.
            The runs lie in numbered folders under its `out`; what is there already is gone on with.
        data_root: Where the data are, if not where the configuration says.

    Returns:
        Name, the paper's scores and model of each row.
    """
    whole = load_train_config(config_path)
    results = []
    for number, (name, paper, changes) in enumerate(ROWS, start=1):
        folder = Path(whole.out) / f"row{number}"
        folder.mkdir(parents=True, exist_ok=True)
        values = _plain(asdict(whole))
        values["out"] = str(folder)
        for section, settings in changes.items():
            values[section] |= settings
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(values))
        _LOG.info("row %d of %d: %s", number, len(ROWS), name)
        model = folder / "model.onnx"
        export_onnx(train(path, resume=True, data_root=data_root), model)
        results.append((name, paper, model))
    return results


def _plain(value: Any) -> Any:
    """The same with lists for tuples, as YAML has them."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
