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

"""Learning from other networks: their mean, and a loss that ends where the student agrees."""

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.ssap import LEVELS, NetworkConfig, SsapNetwork  # noqa: E402
from ssap_ros.training.distillation import (  # noqa: E402
    DistillationConfig,
    Ensemble,
    distillation_loss,
)
from ssap_ros.training.losses import LossConfig  # noqa: E402
from ssap_ros.training.train import train  # noqa: E402

CLASSES = ("background", "person", "car")
NETWORK = NetworkConfig("mobilenet_v2", 8, separable=True)
LOSS = LossConfig(background_pair_weight=0.1, object_weight=3.0)


def write_checkpoint(path, seed, mean=(0.0, 0.0, 0.0), classes=CLASSES):
    torch.manual_seed(seed)
    network = SsapNetwork(NETWORK, len(classes)).eval()
    config = {
        "network": dataclasses.asdict(NETWORK),
        "classes": classes,
        "mean": mean,
        "std": (255.0, 128.0, 64.0),
    }
    torch.save({"average": network.state_dict(), "config": config}, path)
    return network


def pyramid(seed, size=64):
    """Logits of two crops of 64 pixels on all levels."""
    torch.manual_seed(seed)
    semantic = [torch.randn(2, len(CLASSES), size // s, size // s) for s in LEVELS]
    return semantic, [torch.randn(2, 25, size // s, size // s) for s in LEVELS]


def mirrored(logits):
    """Left to right: the affinity to the pixel (dy, dx) away becomes that to (dy, -dx)."""
    semantic, affinities = logits
    channels = [dy * 5 + 4 - dx for dy in range(5) for dx in range(5)]
    return [s.flip(-1) for s in semantic], [a[:, channels].flip(-1) for a in affinities]


def test_an_ensemble_is_the_mean_of_its_networks_each_with_its_own_scaling_bias_and_view(tmp_path):
    means = ((10.0, 20.0, 30.0), (0.0, 0.0, 0.0))
    networks = [write_checkpoint(tmp_path / f"{k}.pt", k, means[k]) for k in (0, 1)]
    config = DistillationConfig(networks=("0.pt", "1.pt"), affinity_biases=(0.5, -1.5))
    image = torch.randint(0, 256, (2, 3, 64, 128), dtype=torch.uint8)
    std = torch.tensor((255.0, 128.0, 64.0)).view(3, 1, 1)
    views = []
    with torch.no_grad():
        for network, mean in zip(networks, means, strict=True):
            scaled = (image - torch.tensor(mean).view(3, 1, 1)) / std
            views.append([network(scaled), mirrored(network(scaled.flip(-1)))])

    def differs(opinion, one, other):
        """Largest difference from the mean of two networks' logits."""
        levels = range(len(LEVELS))
        semantic = [opinion[0][k] - (one[0][k] + other[0][k]) / 2 for k in levels]
        affinities = [opinion[1][k] - (one[1][k] + other[1][k] - 1) / 2 for k in levels]
        return max(float(d.abs().max()) for d in (*semantic, *affinities))

    ensemble = Ensemble(config, tmp_path, CLASSES)
    pairs = [(i, j) for i in (0, 1) for j in (0, 1)]
    met = set()
    for _ in range(40):
        opinion = ensemble(image)
        differences = {(i, j): differs(opinion, views[0][i], views[1][j]) for i, j in pairs}
        nearest = min(differences, key=differences.get)
        assert differences[nearest] < 1e-3
        met.add(nearest)
        if len(met) == len(pairs):
            break
    assert met == set(pairs), "each network sees both views, each for itself"


def test_an_ensemble_does_not_learn(tmp_path):
    write_checkpoint(tmp_path / "0.pt", 0)
    ensemble = Ensemble(DistillationConfig(networks=("0.pt",)), tmp_path, CLASSES)
    assert not any(p.requires_grad for p in ensemble.parameters())
    assert not any(m.training for m in ensemble.modules())


def test_networks_of_other_classes_and_missing_ones_are_named(tmp_path):
    write_checkpoint(tmp_path / "0.pt", 0, classes=("background", "dog"))
    with pytest.raises(InputError, match=r"0\.pt: expected a network of the classes"):
        Ensemble(DistillationConfig(networks=("0.pt",)), tmp_path, CLASSES)
    with pytest.raises(InputError, match=r"none\.pt"):
        Ensemble(DistillationConfig(networks=("none.pt",)), tmp_path, CLASSES)
    with pytest.raises(ValueError, match="expected 1 affinity_biases, one per network, got 2"):
        DistillationConfig(networks=("0.pt",), affinity_biases=(0.0, 1.0))


def test_a_student_that_agrees_has_no_loss_and_no_gradient():
    teacher = pyramid(0)
    student = tuple([t.clone().requires_grad_() for t in tensors] for tensors in teacher)
    terms = distillation_loss(student, teacher, LEVELS, LOSS, DistillationConfig())
    assert len(terms) == 2 * len(LEVELS)
    total = torch.stack(list(terms.values())).sum()
    assert total.item() == pytest.approx(0, abs=1e-5)
    total.backward()
    for tensor in (*student[0], *student[1]):
        assert tensor.grad.abs().max() < 1e-6


def test_terms_are_the_divergences_written_out():
    student, teacher = pyramid(1), pyramid(0)
    config = DistillationConfig(semantic_weight=0.5, affinity_weight=2.0)
    loss = dataclasses.replace(LOSS, semantic_weight=3.0, alpha=0.03)
    terms = distillation_loss(student, teacher, LEVELS, loss, config)
    for k, stride in enumerate(LEVELS):
        p, q = (torch.softmax(t[0][k].double(), dim=1) for t in (teacher, student))
        divergence = (p * (p.log() - q.log())).sum(dim=1).mean()
        assert terms[f"taught_semantic_{stride}"].item() == pytest.approx(1.5 * divergence.item())
        a, b = (torch.sigmoid(t[1][k].double()) for t in (teacher, student))
        pairs = a * (a / b).log() + (1 - a) * ((1 - a) / (1 - b)).log()
        weight = 0.1 + 3 * (1 - p[:, 0])
        expected = 2 * 0.03 * loss.lambdas[k] * (pairs.mean(dim=1) * weight).sum() / 2
        assert terms[f"taught_affinity_{stride}"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_student_learns_the_affinities_it_is_taught():
    teacher = pyramid(0)
    student = tuple([torch.zeros_like(t).requires_grad_() for t in ts] for ts in teacher)
    optimiser = torch.optim.Adam([*student[0], *student[1]], lr=0.2)
    for _ in range(150):
        optimiser.zero_grad()
        terms = distillation_loss(student, teacher, LEVELS, LOSS, DistillationConfig())
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    for learned, taught in zip(student[1], teacher[1], strict=True):
        assert (torch.sigmoid(learned) - torch.sigmoid(taught)).abs().mean() < 0.02


CONFIG = """
out: {out}
classes: [background, person, bicycle, car, motorcycle, bus, train, truck]
thing_ids: [1, 2, 3, 4, 5, 6, 7]
network: {{backbone: mobilenet_v2, decoder_width: 8, head_kernel: 3}}
data: {{crop: 64, workers: 0, sources: [{{type: scenes}}]}}
optimiser: {{batch_size: 2, iterations: 2, learning_rate: 1.0e-3}}
log_every: 1
"""


def test_a_run_learns_from_the_checkpoint_of_another(tmp_path):
    (tmp_path / "first.yaml").write_text(CONFIG.format(out=tmp_path / "first"))
    checkpoint = train(tmp_path / "first.yaml")
    taught = CONFIG.format(out=tmp_path / "second") + f"distillation: {{networks: [{checkpoint}]}}"
    (tmp_path / "second.yaml").write_text(taught)
    train(tmp_path / "second.yaml")
    first, second = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("first", "second")
    )
    assert "taught_affinity_4" not in first[0]
    assert second[0]["taught_semantic_4"] > 0
    assert second[0]["taught_affinity_4"] > 0
    terms = sum(value for name, value in second[0].items() if name not in ("iteration", "loss"))
    assert second[0]["loss"] == pytest.approx(terms, rel=1e-5)
