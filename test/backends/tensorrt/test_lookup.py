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

"""The sizes that an engine serves, and the key by which it is found again."""

from __future__ import annotations

from typing import Any

import pytest

from ssap_ros.backends.tensorrt.driver import Gpu
from ssap_ros.backends.tensorrt.lookup import engine_key, profile_shapes
from ssap_ros.config import SsapConfig
from support.toy_model import quantized_model, toy_info, toy_model


def test_the_profile_covers_every_aspect_ratio_and_is_tuned_for_wide_ones() -> None:
    info, config = toy_info(long_side=1000), SsapConfig(max_batch=4)
    assert profile_shapes(info, config) == ((1, 3, 64, 64), (4, 3, 576, 1024), (4, 3, 1024, 1024))
    shapes = profile_shapes(info, config, (512, 1024))
    assert shapes == ((1, 3, 512, 1024), (4, 3, 512, 1024), (4, 3, 512, 1024))
    fixed = toy_info(input_size=(128, 256))
    assert profile_shapes(fixed, SsapConfig()) == ((1, 3, 128, 256),) * 3
    small = SsapConfig(input_long_side=320)
    assert profile_shapes(info, small)[2] == (1, 3, 320, 320)


@pytest.mark.parametrize(
    "other",
    [
        {"model": b"another model"},
        {"config": SsapConfig(precision="fp32")},
        {"config": SsapConfig(max_batch=2)},
        {"config": SsapConfig(input_long_side=512)},
        {"gpu": Gpu("Other", "8.7", "12.6")},
        {"gpu": Gpu("Toy GPU", "9.0", "12.6")},
        {"tensorrt": "11.4.0"},
        {"input_size": (128, 256)},
    ],
)
def test_whatever_an_engine_depends_on_is_in_its_key(other: dict[str, Any]) -> None:
    usual = {
        "model": b"model",
        "info": toy_info(),
        "config": SsapConfig(),
        "gpu": Gpu("Toy GPU", "8.7", "12.6"),
        "tensorrt": "10.3.0",
    }
    assert engine_key(**usual).digest == engine_key(**usual).digest
    assert engine_key(**usual | other).digest != engine_key(**usual).digest


def test_the_driver_may_be_updated_without_a_new_engine() -> None:
    keys = (
        engine_key(b"", toy_info(), SsapConfig(), Gpu("Toy", "8.7", cuda), "10.3.0")
        for cuda in ("12.6", "13.0")
    )
    assert next(keys) == next(keys)


@pytest.mark.parametrize("precision", ["auto", "fp16", "int8"])
def test_a_quantized_model_makes_an_int8_engine(precision: str) -> None:
    gpu, config = Gpu("Orin", "8.7", "12.6"), SsapConfig(precision=precision)
    key = engine_key(quantized_model().SerializeToString(), toy_info(), config, gpu, "10.3.0")
    assert key.precision == "int8"
    plain = engine_key(toy_model(toy_info()).SerializeToString(), toy_info(), SsapConfig(), gpu, "")
    assert plain.precision == "fp16"
