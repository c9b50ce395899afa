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

"""Biases and scores: what is fitted, and that the model then has it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx
from ssap_ros.cli.command_line import main
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.evaluation.calibration import BiasedBackend, calibrate, composed, fit_logistic
from ssap_ros.evaluation.evaluators import ImageSet
from ssap_ros.evaluation.predict import PredictionSettings
from ssap_ros.network.calibrated_onnx import write_calibrated
from ssap_ros.stages.instances import calibrated

torch = pytest.importorskip("torch")

from ssap_ros.network.export import write_onnx  # noqa: E402
from ssap_ros.network.ssap import LEVELS, NetworkConfig, SsapNetwork  # noqa: E402
from ssap_ros.types import ModelInfo  # noqa: E402

INFO = ModelInfo(("none", "person", "car"), (1, 2), LEVELS, 5, (0.0,) * 3, (255.0,) * 3, None, 128)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    write_onnx(SsapNetwork(NetworkConfig("resnet18", 8, head_kernel=3), 3), INFO, path)
    return path


def test_the_logistic_is_recovered() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.05, 0.95, 40_000)
    true = calibrated(scores, (2.0, -0.7))
    slope, offset = fit_logistic(scores.astype(np.float32), rng.random(scores.size) < true)
    assert slope == pytest.approx(2.0, abs=0.1)
    assert offset == pytest.approx(-0.7, abs=0.1)


def test_nothing_to_fit_leaves_the_scores() -> None:
    assert fit_logistic(np.zeros(0, np.float32), np.zeros(0, bool)) == (1.0, 0.0)
    assert fit_logistic(np.full(3, 0.5, np.float32), np.ones(3, bool)) == (1.0, 0.0)


def test_two_calibrations_are_one() -> None:
    scores = np.linspace(0.01, 0.99, 50)
    first, then = (2.0, -0.7), (0.8, 0.3)
    np.testing.assert_allclose(
        calibrated(scores, composed(first, then)), calibrated(calibrated(scores, first), then)
    )


def test_calibrated_scores_keep_their_order_and_range() -> None:
    scores = np.linspace(0, 1, 101)
    found = calibrated(scores, (1.7, -0.4))
    assert (np.diff(found[1:-1]) > 0).all()
    assert 0 <= found[0] < found[-1] <= 1
    assert calibrated(scores, (1.0, 0.0)) is scores
    np.testing.assert_allclose(calibrated(scores, (1.0, 1e-12))[1:-1], scores[1:-1], atol=1e-9)


@pytest.mark.parametrize("half", [False, True])
def test_a_calibrated_model_says_the_same_plus_the_biases(
    tmp_path: Path, model: Path, half: bool
) -> None:
    if half:
        (tmp_path / "half.onnx").write_bytes(
            portable_onnx(model.read_bytes(), half=True, any_batch=False)
        )
        model = tmp_path / "half.onnx"
    out = tmp_path / "out.onnx"
    write_calibrated(model, out, {4: -0.5}, {"person": 0.25}, (1.5, -0.2))
    before, after = OnnxRuntimeBackend(model, 1), OnnxRuntimeBackend(out, 1)
    assert after.info == dataclasses.replace(before.info, score_logistic=(1.5, -0.2))
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    (a,), (b,) = (backend.infer(image, LEVELS) for backend in (before, after))
    for k, level in enumerate(LEVELS):
        wanted = -0.5 if level == 4 else 0.0
        np.testing.assert_allclose(b.affinities[k] - a.affinities[k], wanted, atol=1e-2)
        shift = (b.semantic[k] - a.semantic[k]).mean(axis=(1, 2))
        np.testing.assert_allclose(shift, [0, 0.25, 0], atol=1e-2)


def test_what_is_no_model_of_ours_is_named(tmp_path: Path, model: Path) -> None:
    bare = onnx.load(str(model))
    del bare.metadata_props[:]
    onnx.save(bare, str(tmp_path / "bare.onnx"))
    with pytest.raises(InputError, match="not an SSAP model, its metadata lack the key 'ssap_ros'"):
        write_calibrated(tmp_path / "bare.onnx", tmp_path / "o.onnx", {}, {}, (1.0, 0.0))
    assert not (tmp_path / "o.onnx").exists()


def test_the_network_runs_once_per_image(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, calls = OnnxRuntimeBackend(model, 1), []
    infer = inner.infer
    monkeypatch.setattr(inner, "infer", lambda *a: calls.append(1) or infer(*a))
    backend = BiasedBackend(inner)
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    (first,) = backend.infer(image, (4, 8))
    backend.affinity_biases[8] = 1.0
    backend.class_biases[2] = -2.0
    (second,) = backend.infer(image, (4, 8))
    assert len(calls) == 1
    np.testing.assert_allclose(second.affinities[1], first.affinities[1] + 1.0, rtol=1e-5)
    np.testing.assert_array_equal(second.affinities[0], first.affinities[0])
    np.testing.assert_allclose(second.semantic[0][2], first.semantic[0][2] - 2.0, rtol=1e-5)


def test_command_finds_the_bias_that_is_missing(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((96, 128, 3), 120, np.uint8))
    box = [0, 0, 128, 96]
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "height": 96, "width": 128}],
        "categories": [{"id": 7, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "iscrowd": 0, "bbox": box, "area": 12288,
             "segmentation": [[0, 0, 128, 0, 128, 96, 0, 96]]},
        ],
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(truth))
    # the picture is one person; a random network takes it for background, here only just
    write_calibrated(model, tmp_path / "m.onnx", {}, {"person": 1.8}, (2.0, -0.7))
    arguments = ["calibrate", "--model", str(tmp_path / "m.onnx")]
    arguments += ["--annotations", str(tmp_path / "a.json")]
    out = ["--images", str(tmp_path), "--out", str(tmp_path / "o.onnx")]
    assert main([*arguments, *out, "--json", str(tmp_path / "o.json")]) == 0
    fitted = json.loads((tmp_path / "o.json").read_text())
    assert fitted["class_biases"]["person"] > 0
    assert fitted["objective"][1] > fitted["objective"][0] + 0.5
    info = OnnxRuntimeBackend(tmp_path / "o.onnx", 1).info
    assert info.classes == INFO.classes
    assert info.score_logistic == (2.0, -0.7), "every instance was right: nothing to fit"
    assert "written" in capsys.readouterr().out


def test_other_formats_are_refused(model: Path) -> None:
    settings = PredictionSettings(SsapConfig(model_file_path=str(model)))
    with pytest.raises(InputError, match="expected images in the format coco, got scenes"):
        calibrate(ImageSet("scenes", count=1), settings)
