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

"""The losses against textbook formulas and hand-made cases."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.training.datasets import Batch  # noqa: E402
from ssap_ros.training.losses import (  # noqa: E402
    LossConfig,
    affinity_loss,
    semantic_loss,
    size_weight,
    ssap_loss,
)
from ssap_ros.training.samples import (  # noqa: E402
    CERTAIN,
    IGNORE_CLASS,
    PARTIAL_CLASS,
    UNLABELLED,
    VOID,
    soft_label,
)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def loss_of_classes(logits, target, gamma, possible=None, certainty=CERTAIN):
    """The semantic loss; every pixel is as certain, of the `possible` classes, or of any."""
    if possible is None:
        possible = torch.ones(logits.shape[:2], dtype=torch.bool)
    return semantic_loss(logits, target, torch.full_like(target, certainty), possible, gamma)


def batch_of(classes, ids):
    """A batch of certain labels of three classes."""
    classes = classes.to(torch.uint8)
    possible = torch.ones(len(ids), 3, dtype=torch.bool)
    image = torch.zeros(len(ids), 3, *ids.shape[1:], dtype=torch.uint8)
    return Batch(image, classes, torch.full_like(classes, CERTAIN), ids, possible)


def test_focal_loss_without_focus_is_cross_entropy():
    torch.manual_seed(0)
    logits, target = torch.randn(2, 5, 4, 3), torch.randint(0, 5, (2, 4, 3))
    target[0, 0] = IGNORE_CLASS
    expected = torch.nn.functional.cross_entropy(logits, target, ignore_index=IGNORE_CLASS)
    torch.testing.assert_close(loss_of_classes(logits, target, gamma=0), expected)


def test_focal_loss_of_one_pixel():
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1)
    loss = loss_of_classes(logits, torch.zeros(1, 1, 1, dtype=torch.long), gamma=2)
    assert loss.item() == pytest.approx(-(0.2**2) * math.log(0.8), rel=1e-5)


def test_partial_label_asks_only_for_the_possible_classes():
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1).expand(2, 3, 1, 1)
    target = torch.full((2, 1, 1), PARTIAL_CLASS)
    possible = torch.tensor([[True, False, True], [True, True, True]])  # of each picture
    loss = loss_of_classes(logits, target, gamma=0, possible=possible)
    assert loss.item() == pytest.approx(-math.log(0.7) / 2, rel=1e-5)


def test_partial_label_sends_finite_gradients():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    target = torch.full((1, 2, 2), PARTIAL_CLASS)
    loss_of_classes(logits, target, 2, possible=torch.tensor([[True, False, False]])).backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, 0] < 0).all()


def test_soft_label_shares_the_loss_with_the_background():
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1)
    loss = loss_of_classes(logits, torch.full((1, 1, 1), 2), gamma=0, certainty=CERTAIN // 5)
    assert loss.item() == pytest.approx(-0.2 * math.log(0.2) - 0.8 * math.log(0.5), rel=1e-5)


def test_pairs_of_soft_labels_are_not_known_but_those_with_objects_are():
    ids = torch.full((1, 1, 3), UNLABELLED)
    ids[0, 0, 1:] = torch.from_numpy(soft_label(np.array([1, 1]), np.array([3, 30])))
    logits = torch.zeros(1, 9, 1, 3)
    assert affinity_value(logits, ids) == 0
    ids[0, 0, 0] = 1
    assert affinity_value(logits, ids, drop_rate=0.0) > 0


def test_nothing_known_is_zero_and_finite():
    target = torch.full((1, 2, 2), IGNORE_CLASS)
    assert loss_of_classes(torch.randn(1, 3, 2, 2), target, gamma=2).item() == 0
    ids = torch.full((1, 2, 2), VOID)
    assert affinity_loss(torch.randn(1, 25, 2, 2), ids, LossConfig()).item() == 0


def affinity_value(logits, ids, **settings):
    return affinity_loss(logits, ids, LossConfig(**settings)).item()


def test_affinity_loss_is_mean_over_the_window_and_sum_over_pixels():
    logits = torch.full((1, 9, 2, 2), logit(0.75))
    ids = torch.zeros(1, 2, 2, dtype=torch.long)  # one segment of stuff
    keep = {"drop_rate": 0.0, "object_weight": 3.0}
    assert affinity_value(logits, ids, **keep) == pytest.approx(4 * 0.25**2)
    assert affinity_value(logits, ids + 1, **keep) == pytest.approx(3 * 4 * 0.25**2)
    ids[0, :, 1] = 5  # two columns: in each window of 4 valid pairs two are of one segment
    per_pixel = (2 * 0.25**2 + 2 * 0.75**2) / 4
    assert affinity_value(logits, ids, **keep) == pytest.approx((2 + 2 * 3) * per_pixel)


def test_cross_entropy_instead_of_the_squared_error():
    ids = torch.tensor([[[1, 2]]])  # in each window a pair with itself and one of two objects
    logits = torch.full((1, 9, 1, 2), logit(0.75))
    keep = {"drop_rate": 0.0, "object_weight": 1.0, "affinity_error": "cross_entropy"}
    per_pixel = -(math.log(0.75) + math.log(0.25)) / 2
    assert affinity_value(logits, ids, **keep) == pytest.approx(2 * per_pixel, rel=1e-5)


def test_pairs_with_the_background_may_weigh_less():
    ids = torch.tensor([[[0, 0, 1, 2]]])
    logits = torch.full((1, 9, 1, 4), logit(0.75))
    same, other = 0.25**2, 0.75**2
    for weight in (1.0, 0.25):
        value = affinity_value(
            logits, ids, drop_rate=0.0, object_weight=1.0, background_pair_weight=weight
        )
        rows = (
            weight * 2 * same / 2,  # two pixels of background
            weight * (2 * same + other) / 3,
            (weight * other + same + other) / 3,  # background, itself, the other object
            (other + same) / 2,
        )
        assert value == pytest.approx(sum(rows), rel=1e-5)


def test_contact_weight_is_for_instances_beside_instances():
    ids = torch.tensor([[[0, 1, 1, 1, 2, 2]]])  # window of 3: the third 1 touches the first 2
    logits = torch.zeros(1, 9, 1, 6)  # every pair is half wrong
    plain, heavy = (
        affinity_value(logits, ids, drop_rate=0.0, object_weight=1.0, contact_weight=weight)
        for weight in (1.0, 5.0)
    )
    assert plain == pytest.approx(6 * 0.25)
    assert heavy == pytest.approx((4 + 2 * 5) * 0.25)


def test_dropping_spares_the_boundaries():
    torch.manual_seed(0)
    ids = torch.ones(1, 100, 100, dtype=torch.long)
    ids[..., 50:] = 2
    logits = torch.zeros(1, 9, 100, 100)
    boundary = 2 * 100 * 0.25
    inner = 98 * 100 * 0.25
    kept = (affinity_value(logits, ids, drop_rate=0.8, object_weight=1.0) - boundary) / inner
    assert kept == pytest.approx(0.2, abs=0.02)
    everything = affinity_value(logits, ids, drop_rate=1.0, object_weight=1.0)
    assert everything == pytest.approx(boundary)


def test_total_is_equation_10():
    torch.manual_seed(0)
    strides = (4, 8)
    semantic = [torch.randn(1, 3, 16 // s, 16 // s) for s in strides]
    affinities = [torch.randn(1, 25, 16 // s, 16 // s) for s in strides]
    classes, ids = torch.randint(0, 3, (1, 16, 16)), torch.randint(0, 4, (1, 16, 16))
    config = LossConfig(alpha=0.5, lambdas=(0.1, 1.0), drop_rate=0.0)
    total, terms = ssap_loss(semantic, affinities, batch_of(classes, ids), strides, config)
    assert total.item() == pytest.approx(sum(t.item() for t in terms.values()), rel=1e-5)
    raw = affinity_value(affinities[0], ids[:, 2::4, 2::4], drop_rate=0.0)
    assert terms["affinity_4"].item() == pytest.approx(0.5 * 0.1 * raw, rel=1e-5)


def test_either_task_can_be_learned_alone():
    torch.manual_seed(0)
    semantic = [torch.randn(1, 3, 4, 4, requires_grad=True)]
    affinities = [torch.randn(1, 25, 4, 4, requires_grad=True)]
    classes, ids = torch.randint(0, 3, (1, 16, 16)), torch.randint(0, 4, (1, 16, 16))
    for settings, learns in (({"alpha": 0.0}, semantic), ({"semantic_weight": 0.0}, affinities)):
        config = LossConfig(lambdas=(1.0,), **settings)
        total, _ = ssap_loss(semantic, affinities, batch_of(classes, ids), (4,), config)
        for logits in (*semantic, *affinities):
            logits.grad = None
        total.backward()
        moved = [logits.grad.abs().sum() > 0 for logits in (*semantic, *affinities)]
        assert moved == [logits is learns[0] for logits in (*semantic, *affinities)]
    _, terms = ssap_loss(semantic, [], batch_of(classes, ids), (4,), LossConfig())
    assert list(terms) == ["semantic_4"]


def test_pixels_of_small_objects_weigh_by_the_root_of_their_area():
    ids = torch.zeros(2, 40, 40, dtype=torch.int16)
    ids[0, :4, :4] = 1  # a side of 4 pixels: 16 / 4 = 4, no more than 3
    ids[0, 10:18, 10:18] = 2  # 16 / 8
    ids[0, 20:, 20:] = 3  # not small
    ids[0, 30, 0] = VOID
    ids[1, :8, :32] = 1  # a side of 16: not small, as the same number in the other picture is
    weight = size_weight(ids, LossConfig(small_side=16.0, small_weight=3.0))
    expected = torch.ones(2, 40, 40)
    expected[0, :4, :4] = 3
    expected[0, 10:18, 10:18] = 2
    torch.testing.assert_close(weight, expected)


def test_small_objects_weigh_more_in_both_losses_and_so_does_what_is_right_beside_them():
    ids = torch.zeros(1, 64, 64, dtype=torch.int16)
    ids[0, 24:32, 24:32] = 1  # 2 x 2 cells of stride 4
    batch = batch_of(ids.clamp(max=1), ids)
    torch.manual_seed(0)
    semantic = [torch.randn(1, 3, 16, 16, requires_grad=True)]
    affinities = [torch.randn(1, 25, 16, 16, requires_grad=True)]
    gradients = []
    for small_weight in (1.0, 4.0):
        config = LossConfig(
            lambdas=(1.0,), drop_rate=0.0, small_side=32.0, small_weight=small_weight
        )
        loss, _ = ssap_loss(semantic, affinities, batch, (4,), config)
        gradients.append(torch.autograd.grad(loss, (semantic[0], affinities[0])))
    near = torch.zeros(16, 16, dtype=torch.bool)
    near[5:9, 5:9] = True  # the object and one cell around it
    for plain, weighted in zip(*gradients, strict=True):
        factor = torch.where(near, 4.0, 1.0)
        torch.testing.assert_close(weighted, plain * factor)
