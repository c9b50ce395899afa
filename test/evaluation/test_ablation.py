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

"""`ssap ablate`: rows that differ in one thing, intervals over images, the paper's numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.evaluation.ablation import (
    RememberingBackend,
    ablate,
    summarise,
    table_rows,
)
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.predict import PredictionSettings
from ssap_ros.evaluation.test_time_augmentation import TestTimeBackend
from ssap_ros.pipeline import SsapPipeline
from support.tiny_sets import PERSON, objects, write_cityscapes
from support.toy_model import paint

SPLIT = [(32, 32, 64, 128), (112, 32, 64, 128)]  # one person behind a pole


@pytest.fixture
def town(tmp_path: Path) -> ImageSet:
    """Persons in two parts, which the coarse affinities alone join, and whole ones."""
    for number in range(6):
        instances = objects(SPLIT)
        if number % 2 == 0:
            instances[instances == 2] = 1
        ids = [PERSON] * int(instances.max())
        write_cityscapes(tmp_path, f"{number:06}", instances, ids)
    open_evaluator.cache_clear()
    return ImageSet("cityscapes", root=tmp_path)


def settings(model: Path) -> PredictionSettings:
    return PredictionSettings(SsapConfig(model_file_path=str(model), num_threads=1))


def test_long_range_affinities_join_what_is_apart(town: ImageSet, toy_model_path: Path) -> None:
    rows = table_rows(5, settings(toy_model_path))
    results = ablate(rows, town)
    ap = [result.scores.result()["AP"] for result in results]
    assert [row.name for row in rows] == ["A1", "+ A2", "+ A3", "+ A4", "+ A5"]
    assert ap[0] < 0.6
    assert ap[-1] == pytest.approx(1)
    assert ap == sorted(ap)

    summary = summarise(results, samples=60)
    assert [entry["paper"]["AP"] for entry in summary] == [25.7, 29.8, 30.8, 31.4, 31.5]
    first, last = summary[0]["AP"], summary[-1]["AP"]
    assert first["difference_interval"] == [0, 0]
    assert first["interval"][0] <= first["value"] <= first["interval"][1]
    assert last["difference"] == pytest.approx(1 - ap[0])
    assert last["difference_interval"][0] > 0
    json.dumps(summary)


def test_every_start_is_the_pipelines_own(town: ImageSet, toy_model_path: Path) -> None:
    """Without coarser affinities a row is what the product does with that initial level."""
    image = open_evaluator(town, OnnxRuntimeBackend(toy_model_path, 1).info).image(0)
    backend = OnnxRuntimeBackend(toy_model_path, num_threads=1)
    remembering = RememberingBackend(backend)
    for level in backend.info.levels:
        config = SsapConfig(initial_level=level)
        ours, plain = (SsapPipeline(b, config)(image) for b in (remembering, backend))
        np.testing.assert_array_equal(ours.labels, plain.labels)
        assert ours.instances == plain.instances


def test_the_network_sees_an_image_once(toy_backend: OnnxRuntimeBackend) -> None:
    class Counting(OnnxRuntimeBackend):
        calls = 0

        def infer(self, tensor, levels):
            self.calls += 1
            return super().infer(tensor, levels)

    counting = Counting(toy_backend._path, 1)
    counting.calls = 0
    remembering = RememberingBackend(counting)
    image = paint(objects(SPLIT), [PERSON, PERSON])
    for level in (4, 16, 64):
        SsapPipeline(remembering, SsapConfig(initial_level=level))(image)
    assert counting.calls == 1
    SsapPipeline(TestTimeBackend(remembering, flip=True), SsapConfig())(image)
    assert counting.calls == 2  # the mirror image


def test_rows_of_the_paper() -> None:
    base = PredictionSettings()
    assert [(r.initial, r.used) for r in table_rows(4, base)] == [
        (i, 64) for i in (4, 8, 16, 32, 64)
    ]
    assert [(r.initial, r.used) for r in table_rows(5, base)] == [
        (4, 4), (8, 8), (16, 16), (16, 32), (16, 64),
    ]  # fmt: skip
    augmented = [
        (r.settings.config.segmentation_refinement, r.settings.flip, len(r.settings.scales))
        for r in table_rows(7, base)
    ]
    assert augmented == [(False, False, 1), (True, False, 1), (True, True, 1), (True, True, 3)]
    with pytest.raises(ValueError, match="4, 5 or 7"):
        table_rows(6, base)


def ssap(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ssap_ros.cli", "ablate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_command(town: ImageSet, toy_model_path: Path, tmp_path: Path) -> None:
    result = ssap(
        "--table", 7, "--format", "cityscapes", "--root", town.root, "--limit", 2,
        "--model", toy_model_path, "--json", tmp_path / "t.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "+ SR, HF, MS" in result.stdout
    document = json.loads((tmp_path / "t.json").read_text())
    assert [row["row"] for row in document["rows"]] == ["base", "+ SR", "+ SR, HF", "+ SR, HF, MS"]


def test_table_6_needs_a_training(tmp_path: Path) -> None:
    result = ssap("--table", 6, "--format", "scenes", "--json", tmp_path / "t.json")
    assert result.returncode == 2
    assert "--table 6 needs --config" in result.stderr


def test_table_6_trains_its_rows(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from ssap_ros.training.ablation import train_rows

    config = tmp_path / "c.yaml"
    config.write_text(
        f"out: {tmp_path}/runs\n"
        "classes: [background, person, bicycle, car, motorcycle, bus, train, truck]\n"
        "thing_ids: [1, 2, 3, 4, 5, 6, 7]\n"
        "network: {backbone: mobilenet_v2, decoder_width: 8, head_kernel: 5}\n"
        "data: {crop: 64, workers: 0, sources: [{type: scenes}]}\n"
        "optimiser: {batch_size: 2, iterations: 1}\n"
    )
    rows = train_rows(config, None)
    assert [paper["AP"] for _, paper, _ in rows] == [29.1, 30.0, 31.3, 31.5]
    seen = []
    for number, (_, _, model) in enumerate(rows, start=1):
        assert OnnxRuntimeBackend(model, 1).info.window == 5
        state = torch.load(tmp_path / f"runs/row{number}/checkpoint.pt", weights_only=True)
        loss, network = state["config"]["loss"], state["config"]["network"]
        seen.append((loss["drop_rate"], loss["object_weight"], network["head_kernel"]))
    assert seen == [(0.0, 1.0, 3), (0.8, 1.0, 3), (0.8, 3.0, 3), (0.8, 3.0, 5)]
