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

"""The network: shapes, parameter names and counts, public weights, and ONNX equal to torch."""

import dataclasses

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.backbone import load_folded_weights, unfold_batch_norms  # noqa: E402
from ssap_ros.network.backbones import BACKBONES, MobileNetV2, build_backbone  # noqa: E402
from ssap_ros.network.export import (  # noqa: E402
    export_onnx,
    load_network,
    partition_window,
    write_onnx,
)
from ssap_ros.network.ssap import (  # noqa: E402
    FEATURES,
    LEVELS,
    NetworkConfig,
    SsapNetwork,
)
from ssap_ros.types import ModelInfo  # noqa: E402

# published parameter counts less those of the classifier (and of MobileNetV2's last convolution)
PARAMETERS = {
    # of the authors' 4,652,008: without the classifier, the last convolution and its batch norm
    "efficientnet_lite0": 4_652_008 - 1_281_000 - 412_160,
    # ShuffleNetV2 1.5x without the classifier, the last convolution and its batch norm; the
    # path aggregation
    "nanodet": 3_503_624 - 1_025_000 - 722_944 + 503_552,
    "resnet18": 11_689_512 - 513_000,
    "resnet34": 21_797_672 - 513_000,
    "resnet50": 25_557_032 - 2_049_000,
    "resnet101": 44_549_160 - 2_049_000,
    "mobilenet_v2": 3_504_872 - 1_281_000 - 412_160,
}
INFO = ModelInfo(
    classes=("background", "person", "car"),
    thing_ids=(1, 2),
    levels=LEVELS,
    window=5,
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
    input_size=None,
    long_side=128,
)


def small_network(**changes) -> SsapNetwork:
    torch.manual_seed(0)
    settings = {"backbone": "mobilenet_v2", "decoder_width": 16, "head_kernel": 3, **changes}
    return SsapNetwork(NetworkConfig(**settings), len(INFO.classes))


def with_statistics(network: SsapNetwork) -> SsapNetwork:
    """The network in evaluation mode with the batch norm statistics of random pictures."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 128, 128))
    return network.eval()


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_backbone_has_the_published_parameters_and_strides(name):
    backbone = build_backbone(name).eval()
    assert sum(p.numel() for p in backbone.parameters()) == PARAMETERS[name]
    with torch.no_grad():
        features = backbone(torch.zeros(1, 3, 64, 128))
    assert [tuple(f.shape) for f in features] == [
        (1, c, 64 // s, 128 // s) for c, s in zip(backbone.channels, LEVELS, strict=False)
    ]
    assert len(features) in (4, 5)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resnet18", "layer2.0.downsample.0.weight"),
        ("resnet50", "layer4.2.bn3.running_var"),
        ("mobilenet_v2", "features.0.1.running_mean"),
        ("mobilenet_v2", "features.1.conv.1.weight"),
        ("mobilenet_v2", "features.17.conv.2.weight"),
    ],
)
def test_parameters_have_torchvision_names(name, key):
    assert key in build_backbone(name).state_dict()


def test_unknown_backbone_is_named():
    with pytest.raises(ValueError, match=r"must be one of .*resnet50.*'vgg'"):
        build_backbone("vgg")


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize("window", [3, 5])
def test_output_shapes(name, window):
    network = small_network(backbone=name, window=window).eval()
    with torch.no_grad():
        semantic, affinities = network(torch.zeros(2, 3, 128, 64))
    for level, s, a in zip(LEVELS, semantic, affinities, strict=True):
        assert s.shape == (2, 3, 128 // level, 64 // level)
        assert a.shape == (2, window**2, 128 // level, 64 // level)


@pytest.mark.parametrize("window", [0, 3, 9])
@pytest.mark.parametrize("features", FEATURES)
def test_variants_of_the_paper_have_the_same_shapes(window, features):
    network = small_network(window=window, affinity_features=features).eval()
    with torch.no_grad():
        semantic, affinities = network(torch.zeros(1, 3, 128, 64))
    assert [s.shape[2:] for s in semantic] == [(128 // level, 64 // level) for level in LEVELS]
    expected = [(1, window**2, 128 // level, 64 // level) for level in LEVELS]
    assert [tuple(a.shape) for a in affinities] == (expected if window else [])


@pytest.mark.parametrize("features", ["single", "dilated"])
def test_strided_heads_look_at_the_centres_of_the_cells(features):
    """A head whose convolution only passes on shows where in the finest feature it looks."""
    network = small_network(affinity_features=features).eval()
    feature = torch.arange(64.0 * 64).reshape(1, 1, 64, 64).expand(1, 16, 64, 64)
    for head, level in zip(network.affinity_heads, LEVELS, strict=True):
        conv = next(m for m in head.modules() if isinstance(m, torch.nn.Conv2d))
        torch.nn.init.dirac_(conv.weight)
        stride = level // LEVELS[0]
        seen = head[0](feature)[0, 0]
        expected = feature[0, 0, stride // 2 :: stride, stride // 2 :: stride]
        torch.testing.assert_close(seen, expected)


@pytest.mark.parametrize("window", [3, 7])
def test_other_windows_are_exported_for_the_window_of_the_partition(window):
    own = torch.arange(float(window**2)).reshape(1, -1, 1, 1) + 1
    names = {(k // window - window // 2, k % window - window // 2): k + 1 for k in range(window**2)}
    shown = partition_window(own, window).flatten().tolist()
    expected = [names.get((dy, dx), 0) for dy in range(-2, 3) for dx in range(-2, 3)]
    assert shown == expected


@pytest.mark.parametrize("window", [3, 9])
def test_onnx_of_another_window_equals_torch(tmp_path, window):
    network = with_statistics(small_network(window=window))
    write_onnx(network, INFO, tmp_path / "m.onnx")
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 128)).astype(np.float32)
    [output] = OnnxRuntimeBackend(tmp_path / "m.onnx", num_threads=1).infer(image, LEVELS)
    with torch.no_grad():
        affinities = network(torch.from_numpy(image))[1]
    for ours, theirs in zip(output.affinities, affinities, strict=True):
        expected = partition_window(theirs, window)[0].numpy()
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4)


def test_networks_without_affinities_are_exported_with_unknown_ones(tmp_path):
    network = with_statistics(small_network(window=0))
    write_onnx(network, INFO, tmp_path / "m.onnx")
    backend = OnnxRuntimeBackend(tmp_path / "m.onnx", num_threads=1)
    [output] = backend.infer(np.ones((1, 3, 64, 64), np.float32), LEVELS)
    assert all((a == 0).all() and len(a) == 25 for a in output.affinities)
    assert all(s.std() > 0 for s in output.semantic)


def save_checkpoint(path, seed, window=5):
    """A small network with random weights as `ssap train` would leave it."""
    torch.manual_seed(seed)
    config = NetworkConfig("mobilenet_v2", 16, window, "hierarchical", 3)
    network = with_statistics(SsapNetwork(config, 3))
    settings = {"network": dataclasses.asdict(config), "thing_ids": [1], "long_side": 64}
    settings |= {"classes": ["background", "person", "car"], "mean": [0.0] * 3}
    torch.save({"average": network.state_dict(), "config": settings | {"std": [1.0] * 3}}, path)
    return path


def test_the_mean_of_several_checkpoints_is_exported(tmp_path):
    paths = [save_checkpoint(tmp_path / f"{seed}.pt", seed) for seed in range(2)]
    states = [load_network(path)[0].state_dict() for path in paths]
    mean = load_network(paths[0], paths[1], paths[1])[0]
    for name, value in mean.state_dict().items():
        expected = (states[0][name].double() + 2 * states[1][name].double()) / 3
        torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-6)
    export_onnx(paths[0], tmp_path / "mean.onnx", average_with=[paths[1], paths[1]])
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    [output] = OnnxRuntimeBackend(tmp_path / "mean.onnx", 1).infer(image, LEVELS)
    with torch.no_grad():
        semantic, _ = mean.eval()(torch.from_numpy(image))
    np.testing.assert_allclose(output.semantic[0], semantic[0][0].numpy(), rtol=1e-3, atol=1e-4)
    other = save_checkpoint(tmp_path / "other.pt", 0, window=3)
    with pytest.raises(InputError, match="has another network or other classes than"):
        load_network(paths[0], other)


def test_semantics_and_affinities_learned_separately_are_exported_as_one(tmp_path):
    paths = [
        save_checkpoint(tmp_path / f"{seed}.pt", seed, window) for seed, window in enumerate((5, 0))
    ]
    export_onnx(paths[0], tmp_path / "both.onnx", semantic_from=paths[1])
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    [output] = OnnxRuntimeBackend(tmp_path / "both.onnx", 1).infer(image, LEVELS)
    with torch.no_grad():
        affinities = load_network(paths[0])[0].eval()(torch.from_numpy(image))[1]
        semantic = load_network(paths[1])[0].eval()(torch.from_numpy(image))[0]
    for ours, theirs in zip(
        (*output.semantic, *output.affinities), (*semantic, *affinities), strict=True
    ):
        np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=1e-3, atol=1e-4)


def test_the_finest_level_sees_the_whole_image():
    network = with_statistics(small_network(context=True))
    image = torch.randn(1, 3, 128, 128)
    changed = image.clone()
    changed[..., -32:, -32:] += 3
    with torch.no_grad():
        before, after = network(image)[1][0], network(changed)[1][0]
    assert (before[..., 0, 0] != after[..., 0, 0]).any()


def test_folded_weights_give_convolution_plus_bias(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for name, module in MobileNetV2().named_modules():
        if isinstance(module, torch.nn.Conv2d):
            arrays[f"{name}.weight"] = rng.normal(0, 0.1, module.weight.shape).astype("f4")
            arrays[f"{name}.bias"] = rng.normal(0, 0.1, len(module.weight)).astype("f4")
    np.savez(tmp_path / "w.npz", **arrays)
    backbone = MobileNetV2().eval()
    load_folded_weights(backbone, tmp_path / "w.npz")
    weights = {k: torch.from_numpy(v) for k, v in arrays.items()}
    image = torch.rand(1, 3, 32, 32)
    conv2d, pad = torch.nn.functional.conv2d, torch.nn.functional.pad
    with torch.no_grad():
        stem = conv2d(
            pad(image, (0, 1, 0, 1)),  # TensorFlow's SAME: right and bottom only
            weights["features.0.0.weight"],
            weights["features.0.0.bias"],
            stride=2,
        ).clamp(0, 6)
        depthwise = conv2d(
            stem,
            weights["features.1.conv.0.0.weight"],
            weights["features.1.conv.0.0.bias"],
            padding=1,
            groups=32,
        ).clamp(0, 6)
        linear = conv2d(
            depthwise, weights["features.1.conv.1.weight"], weights["features.1.conv.1.bias"]
        )
        torch.testing.assert_close(backbone.features[:2](image), linear)


def test_folded_batch_norms_are_unfolded_without_a_change(tmp_path):
    torch.manual_seed(0)
    for name in ("mobilenet_v2", "efficientnet_lite0"):
        backbone = build_backbone(name).eval()
        arrays = {}
        for path, module in backbone.named_modules():
            if isinstance(module, torch.nn.Conv2d):
                stored = backbone.folded_name(path)
                arrays[f"{stored}.weight"] = module.weight.detach().numpy()
                arrays[f"{stored}.bias"] = torch.randn(len(module.weight)).numpy() * 0.1
        np.savez(tmp_path / "w.npz", **arrays)
        load_folded_weights(backbone, tmp_path / "w.npz")
        images = torch.randn(4, 3, 64, 64)
        with torch.no_grad():
            before = backbone(images)
            unfold_batch_norms(backbone, images)
            after = backbone(images)
            assert not backbone.training
            for a, b in zip(before, after, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
            for a, b in zip(before, backbone.train()(images), strict=True):
                torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)  # biased variances


def test_separable_heads_cost_a_third():
    from torch.utils.flop_counter import FlopCounterMode

    def macs(**settings):
        config = NetworkConfig("mobilenet_v2", 96, head_kernel=5, **settings)
        network = SsapNetwork(config, 8).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 3, 576, 768))
        return counter.get_total_flops() / 2

    lean = macs(separable=True)
    assert lean < 4.2e9 < macs() / 3


def test_folded_weights_of_another_network_are_refused(tmp_path):
    np.savez(
        tmp_path / "w.npz",
        **{
            "features.0.0.weight": np.zeros((8, 3, 3, 3), "f4"),
            "features.0.0.bias": np.zeros(8, "f4"),
        },
    )
    with pytest.raises(ValueError, match=r"features.0.0 must have shape \(32, 3, 3, 3\), got \(8"):
        load_folded_weights(MobileNetV2(), tmp_path / "w.npz")


@pytest.mark.parametrize("context", [False, True])
def test_onnx_equals_torch_at_any_size(tmp_path, context):
    network = with_statistics(small_network(context=context))
    write_onnx(network, INFO, tmp_path / "m.onnx")
    backend = OnnxRuntimeBackend(tmp_path / "m.onnx", num_threads=1)
    assert backend.info == INFO
    for size in ((64, 128), (192, 64)):
        image = np.random.default_rng(0).normal(size=(1, 3, *size)).astype(np.float32)
        [output] = backend.infer(image, LEVELS)
        with torch.no_grad():
            semantic, affinities = network(torch.from_numpy(image))
        for ours, theirs in zip(
            (*output.semantic, *output.affinities), (*semantic, *affinities), strict=True
        ):
            np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=1e-3, atol=1e-4)


def test_half_precision_onnx_has_float_borders_and_close_logits(tmp_path):
    network = with_statistics(small_network())
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    write_onnx(network, INFO, tmp_path / "full.onnx")
    write_onnx(network, INFO, tmp_path / "half.onnx", half=True)
    sessions = [ort.InferenceSession(str(tmp_path / f"{n}.onnx")) for n in ("full", "half")]
    assert sessions[1].get_inputs()[0].type == "tensor(float)"
    assert {o.type for o in sessions[1].get_outputs()} == {"tensor(float)"}
    full, half = (s.run(None, {"image": image}) for s in sessions)
    for a, b in zip(full, half, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.05, atol=0.05)
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * (tmp_path / "full.onnx").stat().st_size
