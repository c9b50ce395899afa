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

"""Training runs on procedural scenes and other sources."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.tiny_sets import CAR, PERSON, PanopticFile, objects, write_cityscapes

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend  # noqa: E402
from ssap_ros.data import cityscapes  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.checkpoint import load_network  # noqa: E402
from ssap_ros.network.export import export_onnx  # noqa: E402
from ssap_ros.network.ssap import LEVELS  # noqa: E402
from ssap_ros.training.build import build_network, set_training_mode, training_set  # noqa: E402
from ssap_ros.training.samples import (  # noqa: E402
    SOFT_LEVELS,
    stuff_segment,
)
from ssap_ros.training.settings import load_train_config  # noqa: E402
from ssap_ros.training.sources import (  # noqa: E402
    FolderSource,
    Teacher,
)
from ssap_ros.training.teacher import (  # noqa: E402
    TeacherConfig,
    read_soft_labels,
    soft_labels,
)
from ssap_ros.training.train import train  # noqa: E402

ROAD_SEGMENT = {"id": 9, "category_id": 100}

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")
CONFIG = """
out: {out}
classes: [background, person, bicycle, car, motorcycle, bus, train, truck]
thing_ids: [1, 2, 3, 4, 5, 6, 7]
network: {{backbone: mobilenet_v2, decoder_width: 8, head_kernel: 3}}
data: {{crop: 64, workers: 0, sources: [{{type: scenes}}]}}
optimiser: {{batch_size: 2, iterations: {iterations}, learning_rate: 1.0e-3, milestones: [3]}}
checkpoint_every: 2
log_every: 1
"""


def write_config(path, out, iterations, **changes):
    text = CONFIG.format(out=out, iterations=iterations)
    for key, value in changes.items():
        assert re.search(rf"^{key}:", text, re.MULTILINE)
        text = re.sub(rf"^{key}:.*$", f"{key}: {value}", text, flags=re.MULTILINE)
    path.write_text(text)
    return path


def test_cityscapes_and_coco_panoptic_are_training_sources(tmp_path):
    boxes = objects([(32, 32, 64, 128), (96, 32, 64, 128)])
    write_cityscapes(tmp_path / "cityscapes", "000001", boxes, [PERSON, CAR])
    file = PanopticFile(tmp_path)
    segments = [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 3}]
    file.add(boxes, [PERSON, CAR], np.where(boxes, boxes, 9), [*segments, ROAD_SEGMENT])
    cases = {
        "cityscapes": (cityscapes.CLASSES, cityscapes.THING_IDS, "root: cityscapes, split: val"),
        "coco_panoptic": (
            ("person", "car", "road", "tree"),
            (0, 1),
            "annotations: panoptic.json, images: images",
        ),
    }
    for kind, (classes, thing_ids, where) in cases.items():
        source = f"[{{type: {kind}, {where}}}]"
        config = write_config(
            tmp_path / "c.yaml",
            tmp_path,
            2,
            classes=f"[{', '.join(classes)}]",
            thing_ids=list(thing_ids),
            data=f"{{root: {tmp_path}, crop: 192, crop_width: 256, scales: [1, 1], workers: 0, "
            f"sources: {source}}}",
        )
        image, target, _, ids, _ = training_set(load_train_config(config))[0]
        assert image.shape == (3, 192, 256)
        person, car, road = (classes.index(name) for name in ("person", "car", "road"))
        # counted from the left of either the picture or its mirror image
        assert {int(k) for k in ids.unique()} == {1, 2, stuff_segment(road)}
        assert {int(k) for k in target.unique()} == {person, car, road}
        assert set(target[ids > 0].tolist()) == {person, car}
    config.write_text(config.read_text().replace("thing_ids: [0, 1]", "thing_ids: [0]"))
    with pytest.raises(InputError, match=r"must be those of the data, .* \[0, 1\]"):
        training_set(load_train_config(config))


def weights_of(checkpoint):
    return torch.load(checkpoint, weights_only=True)["network"]


def assert_same_weights(a, b):
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.timeout(300)
def test_a_killed_run_is_resumed_exactly(tmp_path):
    """Killed at some step, in the middle of a checkpoint and of a line of the log."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(write_config(tmp_path / "whole.yaml", whole, 6, checkpoint_every=1))
    config = write_config(tmp_path / "parts.yaml", parts, 6, checkpoint_every=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "ssap_ros.cli", "train", "--config", str(config)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    while not (parts / "checkpoint.pt").is_file():
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    reached = torch.load(parts / "checkpoint.pt", weights_only=True)["iteration"]
    assert reached < 6, "ended before it could be killed"
    (parts / "checkpoint.partial").write_bytes(b"half a checkpoint")
    with (parts / "log.jsonl").open("a") as log:
        log.write('{"iteration": 5, "lo')
    train(config, resume=True)
    assert_same_weights(weights_of(whole / "checkpoint.pt"), weights_of(parts / "checkpoint.pt"))
    logs = [
        [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (whole, parts)
    ]
    assert [line["iteration"] for line in logs[1]] == [1, 2, 3, 4, 5, 6]
    for first, second in zip(*logs, strict=True):
        assert second == pytest.approx(first, rel=1e-3)


@pytest.mark.parametrize("kind", ["text", "half", "other"])
def test_what_cannot_be_resumed_is_refused_and_kept(tmp_path, kind):
    config = write_config(tmp_path / "c.yaml", tmp_path / "run", 1)
    checkpoint = train(config)
    if kind == "text":
        checkpoint.write_text("not a checkpoint")
    elif kind == "half":
        checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    else:
        state = torch.load(checkpoint, weights_only=True)
        del state["network"][next(iter(state["network"]))]
        torch.save(state, checkpoint)
    before = checkpoint.read_bytes()
    with pytest.raises(
        InputError, match=r"checkpoint\.pt is not the checkpoint of a run with this"
    ):
        train(config, resume=True)
    assert checkpoint.read_bytes() == before


def test_a_run_logs_losses_per_level_pictures_and_throughput(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    checkpoint = train(write_config(tmp_path / "c.yaml", tmp_path / "run", 4))
    assert "images/s" in caplog.text
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    kinds = [f"losses/{kind}_{level}" for kind in ("semantic", "affinity") for level in LEVELS]
    assert {*kinds, "losses/loss", "images per second"} <= set(events.Tags()["scalars"])
    pictures = events.Images("sample")
    assert [p.step for p in pictures] == [2, 4]
    assert (pictures[0].height, pictures[0].width) == (64, 6 * 64)
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 4

    info = export_onnx(checkpoint, tmp_path / "plain.onnx")
    assert info.classes == CLASSES
    export_onnx(checkpoint, tmp_path / "biased.onnx", affinity_bias=(-0.5, 0, 1, 0, 0))
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    plain, biased = (
        OnnxRuntimeBackend(tmp_path / f"{name}.onnx", 1).infer(image, LEVELS)[0]
        for name in ("plain", "biased")
    )
    shifts = [(b - p).mean() for p, b in zip(plain.affinities, biased.affinities, strict=True)]
    np.testing.assert_allclose(shifts, (-0.5, 0, 1, 0, 0), atol=1e-4)


def write_teacher(path: Path) -> None:
    """A teacher (1, 3, 32, 32) -> 3 logits: a grey pixel above 0 is surely of channel 2."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((3, 3, 1, 1), np.float32)
    weight[2] = 40.0
    bias = np.array([20, 0, 0], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])],
        "teacher",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 32, 32))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 3, 32, 32))],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def test_the_teacher_is_asked_once(tmp_path):
    write_teacher(tmp_path / "t.onnx")
    image = np.zeros((24, 64, 3), np.uint8)
    image[:, 32:] = 255
    pictures = [(n, tmp_path / f"{n}.png") for n in (7, 8)]
    for _, path in pictures:
        cv2.imwrite(str(path), image)
    config = TeacherConfig(semantic="t.onnx", channels={"person": 1, "car": 2})
    cache = tmp_path / "runs" / "street"  # made where it is missing
    files = soft_labels(pictures, config, tmp_path, CLASSES, cache)
    soft = read_soft_labels(files[7], (24, 64))
    car = CLASSES.index("car")
    assert (soft[:, 36:] == car << 8 | SOFT_LEVELS - 1).all()
    assert (soft[:, :28] & 0xFF == 0).all()
    (tmp_path / "t.onnx").unlink()
    for _, path in pictures:
        path.unlink()  # what is stored needs neither picture nor model
    assert soft_labels(pictures, config, tmp_path, CLASSES, cache) == files
    with pytest.raises(InputError, match=r"the teacher's model at .*t.onnx: 2 pictures have no"):
        soft_labels(pictures, config, tmp_path, CLASSES[:4], cache)  # other classes


def test_pictures_without_labels_are_a_source(tmp_path):
    write_teacher(tmp_path / "t.onnx")
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((32, 32, 3), 255, np.uint8))
    config = TeacherConfig(semantic="t.onnx", channels={"car": 2})
    teacher = Teacher(soft_labels([(0, path)], config, tmp_path, CLASSES, tmp_path), {})
    sample = FolderSource([path], teacher).sample(0, np.random.default_rng(0))
    assert sample.annotated == frozenset()
    assert (sample.semantic_target() == CLASSES.index("car")).all()
    assert (sample.certainty() == 255).all()
    assert (sample.instances < 0).all()


def test_a_run_ends_by_the_clock_and_leaves_snapshots(tmp_path):
    config = write_config(tmp_path / "c.yaml", tmp_path / "run", 1000)
    text = config.read_text().replace("milestones: [3]", "schedule: cosine")
    config.write_text(f"{text}snapshots: [0.5]\n")
    begin = time.monotonic()
    checkpoint = train(config, minutes=0.05)
    assert time.monotonic() - begin < 100
    state = torch.load(checkpoint, weights_only=True)
    assert state["iteration"] < 1000
    assert state["seconds"] >= 3
    assert export_onnx(tmp_path / "run" / "average_0.50.pt", tmp_path / "s.onnx").classes == CLASSES


def test_training_goes_on_from_other_classes(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    config = tmp_path / "first.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "first", iterations=2))
    checkpoint = train(config)
    text = CONFIG.format(out=tmp_path / "second", iterations=2).replace(", train, truck]", "]")
    config.write_text(f"{text.replace(', 6, 7]', ']')}initial: {checkpoint}\n")
    caplog.clear()
    network = build_network(load_train_config(config))
    initialised = {line.split(": ")[1] for line in caplog.messages}
    assert initialised == {
        f"semantic_heads.{i}.3.{kind}" for i in range(5) for kind in ("weight", "bias")
    }
    first = torch.load(checkpoint, weights_only=True)["average"]
    for name, value in network.state_dict().items():
        if name not in initialised:
            torch.testing.assert_close(value, first[name])


def test_training_goes_on_from_an_exported_model(tmp_path):
    config = tmp_path / "first.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "first", iterations=2))
    checkpoint, model, text = train(config), tmp_path / "first.onnx", config.read_text()
    export_onnx(checkpoint, model)
    config.write_text(f"{text}initial: {model}\n")
    picture = torch.rand(1, 3, 64, 64)
    own = load_network(checkpoint)[0].eval()
    folded = {"average": build_network(load_train_config(config)).state_dict()}
    torch.save(torch.load(checkpoint, weights_only=True) | folded, tmp_path / "second.pt")
    for initial in (model, tmp_path / "second.pt"):  # the norms are folded and stay as they are
        config.write_text(f"{text}initial: {initial}\n")
        settings = load_train_config(config)
        network = build_network(settings)
        set_training_mode(network, settings)
        for got, wanted in zip(network(picture), own(picture), strict=True):
            for one, other in zip(got, wanted, strict=True):
                torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_what_is_no_checkpoint_is_named(tmp_path):
    path = tmp_path / "notes.pt"
    with pytest.raises(InputError, match="cannot read"):
        export_onnx(path, tmp_path / "m.onnx")
    path.write_text("hello")
    with pytest.raises(InputError, match="is not a training checkpoint"):
        export_onnx(path, tmp_path / "m.onnx")
    torch.save({"weights": 1}, path)
    with pytest.raises(InputError, match="is not a training checkpoint"):
        export_onnx(path, tmp_path / "m.onnx")
