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

"""NanoDet's body against a reading of its weights, convolution by convolution, with shuffles."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from ssap_ros.network.nanodet import NanoDet, load_ncnn_weights  # noqa: E402


class Reading:
    """Computes with the weights of a file for ncnn in the order in which they come."""

    def __init__(self, values):
        self._values = torch.from_numpy(values).double()

    def _take(self, count):
        taken, self._values = self._values[:count], self._values[count:]
        return taken

    def conv(self, x, out, kernel=1, stride=1, depthwise=False, relu=True):
        inputs = 1 if depthwise else x.shape[1]
        assert self._take(1) == 0  # float32
        weight = self._take(out * inputs * kernel * kernel).view(out, inputs, kernel, kernel)
        groups = out if depthwise else 1
        x = torch.nn.functional.conv2d(
            x, weight, self._take(out), stride, kernel // 2, groups=groups
        )
        return torch.where(x > 0, x, 0.1 * x) if relu else x

    def depthwise(self, x, kernel=3, stride=1, relu=False):
        return self.conv(x, x.shape[1], kernel, stride, depthwise=True, relu=relu)

    def ghost_block(self, x):
        y = x
        for relu in (True, False):
            y = self.conv(y, 64, relu=relu)
            y = torch.cat([y, self.depthwise(y, relu=relu)], dim=1)
        return y + self.conv(self.depthwise(x, 5), 128, relu=False)

    def half_size(self, x):
        return self.conv(self.depthwise(x, 5, stride=2, relu=True), 128)

    def features(self, image):
        """Of an image in BGR."""
        x = torch.nn.functional.max_pool2d(self.conv(image, 24, 3, 2), 3, 2, 1)
        found, half_sizes = [x], []
        for half, units in ((88, 4), (176, 8), (352, 4)):
            side = self.depthwise(x, stride=2)
            y = self.depthwise(self.conv(x, half), stride=2)
            x = shuffled(torch.cat([self.conv(side, half), self.conv(y, half)], dim=1))
            for _ in range(units - 1):
                kept, y = x[:, :half], x[:, half:]
                y = self.conv(self.depthwise(self.conv(y, half)), half)
                x = shuffled(torch.cat([kept, y], dim=1))
            half_sizes.append(x)
        x8, x16, x32 = half_sizes
        x32 = self.conv(x32, 128)
        x16 = self.ghost_block(torch.cat([doubled(x32), self.conv(x16, 128)], dim=1))
        y8 = self.ghost_block(torch.cat([doubled(x16), self.conv(x8, 128)], dim=1))
        y16 = self.ghost_block(torch.cat([self.half_size(y8), x16], dim=1))
        y32 = self.ghost_block(torch.cat([self.half_size(y16), x32], dim=1))
        y64 = self.half_size(x32) + self.half_size(y32)
        return [*found, y8, y16, y32, y64]


def shuffled(x):
    n, channels, *size = x.shape
    return x.view(n, 2, channels // 2, *size).transpose(1, 2).reshape(x.shape)


def doubled(x):
    return torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")


@pytest.fixture
def values():
    """Weights of about unit gain."""
    rng = np.random.default_rng(0)
    parts = []
    for module in NanoDet().modules():
        if isinstance(module, torch.nn.Conv2d):
            shape = module.weight.shape
            gain = np.sqrt(2 / np.prod(shape[1:]))
            parts += [np.zeros(1), gain * rng.normal(size=shape), 0.1 * rng.normal(size=shape[0])]
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def test_features_are_those_of_the_shuffled_network(values, tmp_path):
    (tmp_path / "weights.bin").write_bytes(values.tobytes() + b"the head")
    backbone = NanoDet().eval()
    load_ncnn_weights(backbone, tmp_path / "weights.bin")
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 64, 128)))
    with torch.no_grad():
        ours, theirs = backbone.double()(image), Reading(values).features(image.flip(1))
    assert len(ours) == 5
    for a, b in zip(ours, theirs, strict=True):
        assert b.std() > 0.1
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spoil", [lambda v: v[:-1], lambda v: np.float32([0.5, *v[1:]])])
def test_other_files_are_refused(values, tmp_path, spoil):
    (tmp_path / "weights.bin").write_bytes(spoil(values).tobytes())
    with pytest.raises(ValueError, match=r"weights.bin: expected \(.*\) float32 weights"):
        load_ncnn_weights(NanoDet(), tmp_path / "weights.bin")
