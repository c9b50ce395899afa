"""Training data and the training loop on procedural scenes."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ssap_ros.backends.onnxruntime_backend import OnnxRuntimeBackend  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.export import export_onnx  # noqa: E402
from ssap_ros.network.ssap import LEVELS  # noqa: E402
from ssap_ros.training.augment import Cutout, paste_group, random_crop  # noqa: E402
from ssap_ros.training.datasets import CocoSource, SceneSource, TrainingSet  # noqa: E402
from ssap_ros.training.samples import (  # noqa: E402
    IGNORE_CLASS,
    PARTIAL_CLASS,
    UNLABELLED,
    VOID,
    Sample,
    unknown_instance,
)
from ssap_ros.training.settings import load_train_config  # noqa: E402
from ssap_ros.training.train import build_network, train  # noqa: E402

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")
CONFIG = """
out: {out}
classes: [background, person, bicycle, car, motorcycle, bus, train, truck]
thing_ids: [1, 2, 3, 4, 5, 6, 7]
network: {{backbone: mobilenet_v2, decoder_width: 8, head_kernel: 3}}
data: {{crop: 128, workers: 0, sources: [{{type: scenes}}]}}
optimiser: {{batch_size: 2, iterations: {iterations}, learning_rate: 1.0e-3, milestones: [3]}}
checkpoint_every: 2
"""


def test_semantic_target_of_every_kind_of_label():
    labels = [[0, 1, 2, VOID, UNLABELLED, unknown_instance(0), unknown_instance(7)]]
    sample = Sample(
        np.zeros((1, 7, 3), np.uint8), np.array(labels, np.int32), np.array([0, 3, 5], np.uint8)
    )
    expected = [0, 3, 5, IGNORE_CLASS, PARTIAL_CLASS, 0, 7]
    assert sample.semantic_target().tolist() == [expected]


def test_crop_keeps_labels_on_their_pixels():
    """The picture is painted with its own labels, so both must still agree after any crop."""
    rng = np.random.default_rng(0)
    instances = np.kron(rng.integers(0, 5, (6, 8)), np.ones((20, 20))).astype(np.int32)
    image = np.repeat((instances * 50 + 20).astype(np.uint8)[..., None], 3, axis=2)
    sample = Sample(image, instances, np.arange(5, dtype=np.uint8))
    for _ in range(20):
        crop = random_crop(sample, 64, (0.8, 2.0), rng)
        inside = crop.instances != VOID
        assert crop.image.shape == (64, 64, 3)
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


def test_coco_source_reads_polygons_crowds_and_incomplete_pictures(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    data = {
        "categories": [{"id": 3, "name": "car"}, {"id": 9, "name": "boat"}],
        "images": [
            {"id": 1, "file_name": "a.png"},
            {"id": 2, "file_name": "a.png", "complete": False},
        ],
        "annotations": [
            {"image_id": i, "category_id": 3, "iscrowd": 0, "segmentation": square,
             "bbox": [10, 10, 10, 10]}
            for i in (1, 2)
        ]
        + [
            {"image_id": 1, "category_id": 3, "iscrowd": 1, "segmentation": {},
             "bbox": [30, 0, 5, 40]},
            {"image_id": 1, "category_id": 9, "iscrowd": 0, "segmentation": square,
             "bbox": [0, 0, 5, 5]},
        ],
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(data))
    source = CocoSource(tmp_path / "a.json", tmp_path, CLASSES)
    rng = np.random.default_rng(0)
    complete, partial = source.sample(0, rng), source.sample(1, rng)
    assert complete.class_ids.tolist() == [0, CLASSES.index("car")]
    assert 100 <= (complete.instances == 1).sum() <= 144
    assert (complete.instances[:, 30:35] == VOID).all()
    assert complete.instances[0, 0] == 0
    assert partial.instances[0, 0] == UNLABELLED
    assert [c.mask.shape for c in source.cutouts(min_area=50)] == [(11, 11)] * 2
    with pytest.raises(InputError, match="found none at"):
        CocoSource(tmp_path / "missing.json", tmp_path, CLASSES)


def test_an_item_depends_on_seed_and_index_alone():
    def build(seed):
        return TrainingSet(
            [(SceneSource((128, 160)), 1.0)], [], {}, 0.0, 128, (0.8, 1.5), seed, length=8
        )

    first, again, other = build(0)[5], build(0)[5], build(1)[5]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    image, classes, ids = first
    assert image.shape == (3, 128, 128)
    assert ((classes > 0) & (classes < 8)).equal(ids > 0)


@pytest.mark.timeout(300)
def test_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole, parts = tmp_path / "whole.yaml", tmp_path / "parts.yaml"
    whole.write_text(CONFIG.format(out=tmp_path / "whole", iterations=4))
    parts.write_text(CONFIG.format(out=tmp_path / "parts", iterations=2))
    expected = torch.load(train(whole), weights_only=True)
    train(parts)
    parts.write_text(CONFIG.format(out=tmp_path / "parts", iterations=4))
    resumed = torch.load(train(parts, resume=True), weights_only=True)
    for name, value in expected["network"].items():
        torch.testing.assert_close(resumed["network"][name], value, rtol=1e-4, atol=1e-5)

    checkpoint = tmp_path / "whole" / "checkpoint.pt"
    info = export_onnx(checkpoint, tmp_path / "plain.onnx")
    assert info.classes == CLASSES
    export_onnx(checkpoint, tmp_path / "biased.onnx", affinity_bias=(-0.5, 0, 1, 0, 0))
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    plain, biased = (
        OnnxRuntimeBackend(tmp_path / f"{name}.onnx", 1).infer(image, LEVELS)
        for name in ("plain", "biased")
    )
    shifts = [(b - p).mean() for p, b in zip(plain.affinities, biased.affinities, strict=True)]
    np.testing.assert_allclose(shifts, (-0.5, 0, 1, 0, 0), atol=1e-4)


def test_training_goes_on_from_other_classes(tmp_path, capsys):
    config = tmp_path / "first.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "first", iterations=2))
    checkpoint = train(config)
    text = CONFIG.format(out=tmp_path / "second", iterations=2).replace(", train, truck]", "]")
    config.write_text(f"{text.replace(', 6, 7]', ']')}initial: {checkpoint}\n")
    capsys.readouterr()
    network = build_network(load_train_config(config))
    anew = {line.split(": ")[1] for line in capsys.readouterr().err.splitlines()}
    assert anew == {f"semantic_heads.{i}.3.{kind}" for i in range(5) for kind in ("weight", "bias")}
    first = torch.load(checkpoint, weights_only=True)["average"]
    for name, value in network.state_dict().items():
        if name not in anew:
            torch.testing.assert_close(value, first[name])


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: [a]", "thing_ids"),
        ("classes: [a]\nthing_ids: [1]\nlr: 3", "unknown key 'lr'"),
        ("classes: [a]\nthing_ids: [x]", r"thing_ids\[0\]: expected int, got 'x'"),
        ("classes: [a]\nthing_ids: []\nloss: {alpha: big}", "loss.alpha: expected float"),
        ("classes: [a", "not valid YAML"),
        ("- a", "expected a mapping"),
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
