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

"""Configurations of trainings."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.data import cityscapes  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.training.losses import LossConfig  # noqa: E402
from ssap_ros.training.settings import OptimiserConfig, load_train_config  # noqa: E402
from ssap_ros.training.train import learning_rate_factor  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "config"


def test_learning_rate_by_steps_and_by_cosine():
    steps = OptimiserConfig(warmup=4, milestones=(10,))
    assert [learning_rate_factor(steps, i, 0.0) for i in (1, 4, 10)] == [0.25, 1, 1]
    assert learning_rate_factor(steps, 11, 0.0) == pytest.approx(0.1)
    cosine = OptimiserConfig(schedule="cosine")
    rates = [learning_rate_factor(cosine, 5, share) for share in (0, 0.5, 1, 1.1)]
    np.testing.assert_allclose(rates, [1, 0.5, 0, 0], atol=1e-12)


def test_configuration_defaults_are_the_papers(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("classes: [a, b]\nthing_ids: [1]\n")
    config = load_train_config(path)
    assert config.loss.alpha == 0.003
    assert config.loss.lambdas == (0.01, 0.03, 0.1, 0.3, 1.0)
    assert (config.loss.drop_rate, config.loss.object_weight) == (0.8, 3.0)
    assert config.optimiser.iterations == 70_000
    assert config.optimiser.milestones == (30_000, 50_000)
    assert dataclasses.asdict(config.network)["backbone"] == "resnet50"


def test_shipped_configurations_hold_the_papers_numbers():
    street, fine, gpu, own, town, coco = (
        load_train_config(CONFIGS / f"train_{name}.yaml")
        for name in ("street", "street_fine", "street_gpu", "own", "cityscapes", "coco_panoptic")
    )
    assert street.network == fine.network == gpu.network == own.network
    assert (street.mean, street.std) == (own.mean, own.std)
    assert (town.classes, town.thing_ids) == (cityscapes.CLASSES, cityscapes.THING_IDS)
    assert (len(coco.classes), coco.thing_ids) == (133, tuple(range(80)))
    for config in (town, coco):
        assert config.loss == LossConfig()
        assert (config.network.window, config.network.head_kernel) == (5, 5)
        assert config.optimiser.batch_size == 24
        assert config.optimiser.learning_rate == 1e-4
    assert (town.network.backbone, coco.network.backbone) == ("resnet50", "resnet101")
    assert (town.optimiser.iterations, town.optimiser.milestones) == (70_000, (30_000, 50_000))
    assert (coco.optimiser.iterations, coco.optimiser.milestones) == (80_000, (60_000, 70_000))
    assert (coco.data.long_side, coco.data.crop, coco.data.crop_width) == (640, 512, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: [a]", "thing_ids"),
        ("classes: [a]\nthing_ids: [1]\nlr: 3", "unknown key 'lr'"),
        ("classes: [a]\nthing_ids: [x]", r"thing_ids\[0\]: expected int, got 'x'"),
        ("classes: [a]\nthing_ids: []\nloss: {alpha: big}", "loss.alpha: expected float"),
        ("classes: [a", "not valid YAML"),
        ("classes: [a]\nthing_ids: [0]\nloss: {affinity_error: l1}", "expected one of .*'l2'"),
        ("- a", "expected a mapping"),
        ("classes: [a]\nthing_ids: [1]", "thing_ids must be class ids"),
        ("classes: [a]\nthing_ids: [0]\nloss: {lambdas: [1]}", "loss.lambdas: expected 5, got 1"),
        ("classes: [a]\nthing_ids: [0]\nnetwork: {window: 4}", "window must be one of"),
        ("classes: [a]\nthing_ids: [0]\ndata: {crop: 100}", "crops must be multiples of 64"),
    ],
)
def test_a_bad_configuration_is_named(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_train_config(path)
