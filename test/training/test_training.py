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

"""Training data and the training loop on procedural scenes."""

import dataclasses
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
from ssap_ros.data.segments import OTHER_CLASS, Segments  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.checkpoint import load_network  # noqa: E402
from ssap_ros.network.export import export_onnx  # noqa: E402
from ssap_ros.network.ssap import LEVELS  # noqa: E402
from ssap_ros.training.augment import (  # noqa: E402
    Cutout,
    paste_beside,
    paste_group,
    random_crop,
)
from ssap_ros.training.build import build_network, set_training_mode, training_set  # noqa: E402
from ssap_ros.training.datasets import Batch, TrainingSet  # noqa: E402
from ssap_ros.training.losses import LossConfig  # noqa: E402
from ssap_ros.training.samples import (  # noqa: E402
    CERTAIN,
    IGNORE_CLASS,
    PARTIAL_CLASS,
    SOFT_LEVELS,
    UNLABELLED,
    VOID,
    Sample,
    sample_of,
    soft_label,
    stuff_segment,
    unknown_instance,
)
from ssap_ros.training.settings import OptimiserConfig, load_train_config  # noqa: E402
from ssap_ros.training.sources import (  # noqa: E402
    CocoSource,
    FolderSource,
    SceneSource,
    Teacher,
)
from ssap_ros.training.teacher import (  # noqa: E402
    NOT_KNOWN,
    TeacherConfig,
    read_boxes,
    read_soft_labels,
    soft_labels,
)
from ssap_ros.training.train import learning_rate_factor, train  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "config"
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


def test_semantic_target_of_every_kind_of_label():
    labels = [
        *[0, 1, 2, VOID, UNLABELLED, unknown_instance(0), unknown_instance(7)],
        *[unknown_instance(253), stuff_segment(0), stuff_segment(1), stuff_segment(253)],
    ]
    assert len(set(labels)) == len(labels) - 1  # the segment of class 0 is 0
    sample = Sample(
        np.zeros((1, 11, 3), np.uint8), np.array([labels], np.int32), np.array([0, 3, 5], np.uint8)
    )
    expected = [0, 3, 5, IGNORE_CLASS, PARTIAL_CLASS, 0, 7, 253, 0, 1, 253]
    assert sample.semantic_target().tolist() == [expected]
    assert (sample.certainty() == CERTAIN).all()


def test_soft_labels_keep_class_and_probability_through_16_bits():
    class_id, level = np.meshgrid(np.arange(254), np.arange(SOFT_LEVELS), indexing="ij")
    labels = soft_label(class_id, level).astype(np.int16).astype(np.int32)
    assert len(np.unique(labels)) == labels.size
    assert labels.max() < stuff_segment(253)
    sample = Sample(np.zeros((*labels.shape, 3), np.uint8), labels, np.zeros(1, np.uint8))
    np.testing.assert_array_equal(sample.semantic_target(), class_id)
    np.testing.assert_allclose(sample.certainty() / 255, level / (SOFT_LEVELS - 1), atol=2e-3)


def test_crop_keeps_labels_on_their_pixels():
    """The picture is painted with its own labels, so both must still agree after any crop."""
    rng = np.random.default_rng(0)
    instances = np.kron(rng.integers(0, 5, (6, 8)), np.ones((20, 20))).astype(np.int32)
    image = np.repeat((instances * 50 + 20).astype(np.uint8)[..., None], 3, axis=2)
    sample = Sample(image, instances, np.arange(5, dtype=np.uint8))
    for _ in range(20):
        crop = random_crop(sample, (64, 48), (0.8, 2.0), rng)
        inside = crop.instances != VOID
        assert crop.image.shape == (64, 48, 3)
        expected = crop.instances * 50 + 20
        off = np.abs(crop.image[..., 0].astype(int) - expected)[inside] > 5
        assert off.mean() < 0.25  # interpolated edges alone


def test_pasted_objects_get_ids_and_classes_of_their_own():
    base = Sample(
        np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.int32), np.zeros(1, np.uint8)
    )
    cutout = Cutout(np.full((20, 10, 3), 200, np.uint8), np.full((20, 10), 255, np.uint8), 3)
    pasted = paste_group(base, [cutout], 4, np.random.default_rng(1))
    assert pasted.class_ids.tolist() == [0, 3, 3, 3, 3]
    assert (pasted.image[pasted.instances > 0] > 0).mean() > 0.9
    assert not base.instances.any()


def test_a_third_of_the_crops_is_where_objects_touch():
    instances = np.zeros((300, 900), np.int32)
    instances[100:130, 100:110], instances[100:130, 110:120] = 1, 2  # the only contact
    instances[:, 400:800] = 3
    sample = Sample(np.zeros((300, 900, 3), np.uint8), instances, np.array([0, 1, 1, 1], np.uint8))
    rng = np.random.default_rng(0)
    crops = [random_crop(sample, (64, 64), (1.0, 1.0), rng).instances for _ in range(60)]
    both = np.mean([{1, 2} <= set(np.unique(crop)) for crop in crops])
    assert 0.4 < both < 0.8  # and most of those at 1 or at 2, which are two objects of three


def test_a_neighbour_is_pasted_beside_an_object_before_or_behind_it():
    instances = np.zeros((96, 128), np.int32)
    instances[30:80, 50:70] = 1
    image = np.where(instances > 0, 180, 40)[..., None].repeat(3, axis=2).astype(np.uint8)
    base = Sample(image, instances, np.array([0, 3], np.uint8))
    striped = np.zeros((40, 20, 3), np.uint8) + 90
    pools = {3: [Cutout(striped, np.full((40, 20), 255, np.uint8), 3)]}
    touching, covered, colours = [], [], []
    for seed in range(40):
        pasted = paste_beside(base, pools, np.random.default_rng(seed))
        new = pasted.instances == 2
        assert pasted.class_ids.tolist() == [0, 3, 3]
        assert new.any()
        grown = cv2.dilate(new.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        touching.append((grown & (pasted.instances == 1)).any())
        covered.append((pasted.instances == 1).sum() < 50 * 20)
        colours.append(np.median(pasted.image[new]))
    assert np.mean(touching) > 0.7
    assert 0.2 < np.mean(covered) < 0.8
    own, other = np.isin(colours, (179, 180)).mean(), np.isin(colours, (89, 90)).mean()
    assert own > other > 0
    assert own + other < 1  # the rest stands in another light
    assert np.array_equal(base.image, image)
    empty = Sample(image, np.zeros_like(instances), np.zeros(1, np.uint8))
    assert paste_beside(empty, pools, np.random.default_rng(0)) is empty


def test_coco_source_reads_polygons_crowds_and_incomplete_pictures(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    data = {
        "categories": [{"id": 3, "name": "car"}, {"id": 9, "name": "boat"}],
        "images": [
            {"id": 1, "file_name": "a.png", "height": 40, "width": 60},
            {"id": 2, "file_name": "a.png", "height": 40, "width": 60, "complete": False,
             "labelled": [3, 9]},
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 3, "iscrowd": 0, "segmentation": square,
             "bbox": [10, 10, 10, 10]}
            for i in (1, 2)
        ]
        + [
            {"id": 3, "image_id": 1, "category_id": 3, "iscrowd": 1, "segmentation": {},
             "bbox": [30, 0, 5, 40]},
            {"id": 4, "image_id": 1, "category_id": 9, "iscrowd": 0, "segmentation": square,
             "bbox": [0, 0, 5, 5]},
        ],
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(data))
    source = CocoSource(tmp_path / "a.json", tmp_path, CLASSES, {"person": {2}})
    rng = np.random.default_rng(0)
    complete, partial = source.sample(0, rng), source.sample(1, rng)
    assert complete.class_ids.tolist() == [0, CLASSES.index("car")]
    assert 100 <= (complete.instances == 1).sum() <= 144
    assert (complete.instances[:, 30:35] == VOID).all()
    assert complete.instances[0, 0] == 0
    assert partial.instances[0, 0] == UNLABELLED
    assert [c.mask.shape for c in source.cutouts(min_area=50)] == [(11, 11)] * 2
    assert source.incomplete() == [(2, tmp_path / "a.png")]
    assert complete.annotated is None
    assert partial.annotated == {CLASSES.index("car"), CLASSES.index("person")}


def test_the_teacher_labels_what_is_not_annotated(tmp_path):
    labels = np.full((4, 6), 5 << 8 | 31, np.uint16)  # at half size: a bus
    labels[0] = 1 << 8 | 20  # a person, though all persons are annotated
    labels[1] = 1 << 8 | 1  # hardly one
    labels[2, :3] = NOT_KNOWN
    cv2.imwrite(str(tmp_path / "l.png"), labels)
    teacher = Teacher({7: tmp_path / "l.png"}, {})
    found = teacher.labels(7, (8, 12), frozenset({1}))
    bus, none = (int(soft_label(np.array(c), np.array(v))) for c, v in ((5, 31), (1, 0)))
    assert np.unique(found[6:]).tolist() == [bus]
    assert (found[:2] == UNLABELLED).all()
    assert (found[2:4] == none).all()
    assert (found[4:6, :6] == UNLABELLED).all()
    assert (found[4:6, 6:] == bus).all()


def test_a_box_that_the_semantics_do_not_show_is_not_known(tmp_path):
    labels = np.full((20, 30), 1 << 8, np.uint16)
    labels[10:, 15:] = 3 << 8 | 31  # a car
    cv2.imwrite(str(tmp_path / "l.png"), labels)
    boxes = [
        {"image_id": 7, "category_id": 8, "bbox": [4, 4, 10, 8], "score": 0.5},  # a truck
        {"image_id": 7, "category_id": 3, "bbox": [30, 20, 30, 20], "score": 0.9},  # the car
        {"image_id": 7, "category_id": 1, "bbox": [40, 2, 6, 6], "score": 0.1},  # hardly a person
        {"image_id": 7, "category_id": 99, "bbox": [0, 0, 60, 40], "score": 0.9},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    found = read_boxes(tmp_path / "boxes.json", {1: 1, 3: 3, 8: 7}, 0.3)[7]
    soft = read_soft_labels(tmp_path / "l.png", (40, 60), found)
    assert (soft[4:12, 4:14] == NOT_KNOWN).all()
    assert (soft == NOT_KNOWN).sum() <= 12 * 14
    (tmp_path / "boxes.json").write_text('{"image_id": 7}')
    with pytest.raises(InputError, match="is not a list of COCO results"):
        read_boxes(tmp_path / "boxes.json", {1: 1}, 0.3)


def test_what_is_wrong_with_coco_instances_is_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="cannot read the annotations"):
        CocoSource(path, tmp_path, CLASSES)
    path.write_text("{}")
    with pytest.raises(InputError, match=r"found none at .*images"):
        CocoSource(path, tmp_path / "images", CLASSES)
    with pytest.raises(InputError, match="is not a COCO annotation file: it has no list"):
        CocoSource(path, tmp_path, CLASSES)
    path.write_text('{"categories": [{"id": 9, "name": "boat"}], "images": [], "annotations": []}')
    with pytest.raises(InputError, match="has no object of the classes"):
        CocoSource(path, tmp_path, CLASSES)


def test_an_item_depends_on_seed_and_index_alone():
    def build(seed):
        return TrainingSet(
            [(SceneSource((128, 160)), 1.0)],
            [],
            {},
            0.0,
            0.0,
            (128, 96),
            0,
            (0.8, 1.5),
            len(CLASSES),
            seed,
            length=8,
        )

    first, again, other = build(0)[5], build(0)[5], build(1)[5]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.image, other.image)
    assert isinstance(first, Batch)
    assert first.image.shape == (3, 128, 96)
    assert ((first.classes > 0) & (first.classes < 8)).equal(first.ids > 0)
    assert first.possible.all()


def test_annotated_segments_become_labels():
    truth = Segments(
        np.array([[0, 1, 2, 3, 4, 5, 6]]),
        np.array([2, 1, 2, 0, OTHER_CLASS, 2]),
        crowd=np.array([0, 0, 1, 0, 0, 0], bool),
    )
    sample = sample_of(np.zeros((1, 7, 3), np.uint8), truth, thing_ids=(2,))
    stuff = [stuff_segment(1), unknown_instance(2), stuff_segment(0)]
    assert sample.instances.tolist() == [[VOID, 1, *stuff, VOID, 2]]
    assert sample.class_ids.tolist() == [0, 2, 2]


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


def test_learning_rate_by_steps_and_by_cosine():
    steps = OptimiserConfig(warmup=4, milestones=(10,))
    assert [learning_rate_factor(steps, i, 0.0) for i in (1, 4, 10)] == [0.25, 1, 1]
    assert learning_rate_factor(steps, 11, 0.0) == pytest.approx(0.1)
    cosine = OptimiserConfig(schedule="cosine")
    rates = [learning_rate_factor(cosine, 5, share) for share in (0, 0.5, 1, 1.1)]
    np.testing.assert_allclose(rates, [1, 0.5, 0, 0], atol=1e-12)


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
    checkpoint, model = train(config), tmp_path / "first.onnx"
    export_onnx(checkpoint, model)
    config.write_text(f"{config.read_text()}initial: {model}\n")
    picture = torch.rand(1, 3, 64, 64)
    settings = load_train_config(config)
    exported, own = build_network(settings), load_network(checkpoint)[0]
    set_training_mode(exported, settings)  # the norms are folded and stay as they are
    for got, wanted in zip(exported(picture), own.eval()(picture), strict=True):
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


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
    street, lean, town, coco = (
        load_train_config(CONFIGS / f"train_{name}.yaml")
        for name in ("street", "street_lean", "cityscapes", "coco_panoptic")
    )
    assert street.network.backbone == lean.network.backbone == "mobilenet_v2"
    assert lean.network.separable
    assert not street.network.separable
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
