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

"""What we call of TensorRT exists, with these arguments, in every release that we serve."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import onnx
import pytest

from ssap_ros.backends.base import ModelError
from ssap_ros.backends.tensorrt import builder as engine_builder
from ssap_ros.backends.tensorrt.cache import EngineKey
from support import tensorrt_contract
from support.tensorrt_contract import RELEASES, Contract
from support.toy_model import quantized_model, toy_info, toy_model

SHAPES = (1, 3, 64, 64), (2, 3, 384, 640), (2, 3, 640, 640)
KEY = EngineKey("00", "10.3.0", "Orin", "8.7", "fp16", *SHAPES, engine_builder.FLAGS)


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Path:
    """The folder of the bindings of one release."""
    return tensorrt_contract.bindings(request.param)


@pytest.fixture
def contract(release: Path) -> Contract:
    report = {"Layers": [{"LayerType": "CaskConvolution", "Weights": {"Type": "Half"}}]}
    return Contract(
        release,
        {
            "Builder.build_serialized_network": lambda *_: b"plan",
            "IBuilderConfig.add_optimization_profile": lambda *_: 0,
            "ITimingCache.serialize": lambda *_: b"timings",
            "INetworkDefinition.num_layers": lambda *_: 2,
            "OnnxParser.num_errors": lambda *_: 1,
            "ParserError.desc": lambda *_: "no such operator",
            "EngineInspector.get_engine_information": lambda *_: json.dumps(report),
        },
    )


def test_an_fp16_engine_is_built(contract: Contract) -> None:
    model = toy_model(toy_info()).SerializeToString()
    assert engine_builder.build_plan(contract.module, model, KEY, b"before") == (
        b"plan",
        b"timings",
    )
    [(flags,)] = contract.called("Builder.create_network")
    half_flags = contract.called("IBuilderConfig.set_flag")
    network_flags = contract.module.NetworkDefinitionCreationFlag
    if contract.version.startswith("8."):
        assert flags == 1 << network_flags.EXPLICIT_BATCH
        flags_of = contract.module.BuilderFlag
        assert half_flags == [(flags_of.FP16,), (flags_of.OBEY_PRECISION_CONSTRAINTS,)]
        assert contract.called("INetworkDefinition.get_layer") == [(0,), (1,)]
    else:
        assert flags & 1 << network_flags.STRONGLY_TYPED
        assert half_flags == []
    [(parsed,)] = contract.called("OnnxParser.parse")
    assert onnx.load_model_from_string(parsed).graph.name == "toy"
    assert contract.called("IOptimizationProfile.set_shape") == [("image", *SHAPES)]
    assert contract.called("IBuilderConfig.create_timing_cache") == [(b"before",)]
    names = [name for name, _ in contract.calls]
    build = names.index("Builder.build_serialized_network")
    for step in ("add_optimization_profile", "set_timing_cache", "set_tactic_sources"):
        assert names.index(f"IBuilderConfig.{step}") < build


def test_an_fp32_engine_is_built_without_tf32(contract: Contract) -> None:
    key = dataclasses.replace(KEY, precision="fp32")
    engine_builder.build_plan(contract.module, b"onnx", key, b"")
    assert contract.called("IBuilderConfig.clear_flag") == [(contract.module.BuilderFlag.TF32,)]
    assert contract.called("IBuilderConfig.set_flag") == []


def test_an_int8_engine_obeys_the_nodes_of_a_quantized_model(contract: Contract) -> None:
    key = dataclasses.replace(KEY, precision="int8")
    model = quantized_model().SerializeToString()
    assert engine_builder.build_plan(contract.module, model, key, b"")[0] == b"plan"
    [(parsed,)] = contract.called("OnnxParser.parse")
    assert onnx.load_model_from_string(parsed).graph.name == "quantized"
    flags = contract.called("IBuilderConfig.set_flag")
    if contract.version.startswith("8."):
        assert flags == [(contract.module.BuilderFlag.INT8,), (contract.module.BuilderFlag.FP16,)]
    else:
        assert flags == [], "the types of the model are obeyed"
    assert contract.called("IBuilderConfig.clear_flag") == []


@pytest.mark.parametrize("refusing", ["create_timing_cache", "set_timing_cache"])
def test_outdated_timings_are_left_aside(contract: Contract, refusing: str) -> None:
    answers = {"create_timing_cache": [None, "new"], "set_timing_cache": [False, True]}[refusing]
    contract.behaviour[f"IBuilderConfig.{refusing}"] = lambda *_, **__: answers.pop(0)
    engine_builder.build_plan(contract.module, b"onnx", KEY, b"outdated")
    assert contract.called("IBuilderConfig.create_timing_cache") == [(b"outdated",), (b"",)]
    assert not answers


def test_a_profile_that_the_model_does_not_take_is_reported(contract: Contract) -> None:
    contract.behaviour["IBuilderConfig.add_optimization_profile"] = lambda *_: -1
    with pytest.raises(ModelError, match=r"does not take inputs from \(1, 3, 64, 64\)"):
        engine_builder.build_plan(contract.module, b"onnx", KEY, b"")


def test_the_precisions_of_an_engine_are_read(contract: Contract) -> None:
    counts = engine_builder.layer_precisions(contract.module, b"plan")
    assert counts == {"half": 1, "float": 0, "other": 0}
    assert contract.called("Runtime.deserialize_cuda_engine") == [(b"plan",)]


@pytest.mark.parametrize(
    ("report", "half"),
    [
        (
            '{"Layers": [{"LayerType": "Conv", "Name": "a\x1eb", "Weights": {"Type": "Half"}}]}',
            1,
        ),
        ('{"Layers": [', 0),
    ],
)
def test_a_report_with_control_characters_is_read_and_a_broken_one_left_aside(
    contract: Contract, report: str, half: int
) -> None:
    contract.behaviour["EngineInspector.get_engine_information"] = lambda *_: report
    counts = engine_builder.layer_precisions(contract.module, b"plan")
    assert counts == {"half": half, "float": 0, "other": 0}


def test_what_tensorrt_says_of_a_bad_model_is_reported(contract: Contract) -> None:
    contract.behaviour["OnnxParser.parse"] = lambda *_: False
    with pytest.raises(ModelError, match=f"TensorRT {contract.version} cannot read it: no such op"):
        engine_builder.build_plan(contract.module, b"", KEY, b"")


def test_convolutions_without_a_half_kernel_do_not_stop_the_build(contract: Contract) -> None:
    if not contract.version.startswith("8."):
        pytest.skip("strongly typed networks need no precision constraints")
    plans = iter((None, b"plan"))
    contract.behaviour["Builder.build_serialized_network"] = lambda *_: next(plans)
    model = toy_model(toy_info()).SerializeToString()
    assert engine_builder.build_plan(contract.module, model, KEY, b"")[0] == b"plan"
    flags = contract.module.BuilderFlag
    obey, prefer = flags.OBEY_PRECISION_CONSTRAINTS, flags.PREFER_PRECISION_CONSTRAINTS
    assert contract.called("IBuilderConfig.set_flag") == [(flags.FP16,), (obey,), (prefer,)]
    assert contract.called("IBuilderConfig.clear_flag") == [(obey,)]


def test_what_tensorrt_says_of_a_failed_build_is_reported(contract: Contract) -> None:
    def fail(*_: object) -> None:
        [(logger,)] = contract.called("Builder.__init__")
        logger.log(contract.module.ILogger.ERROR, "out of\nmemory")
        logger.log(contract.module.ILogger.INFO, "hello")

    contract.behaviour["Builder.build_serialized_network"] = fail
    with pytest.raises(ModelError, match=f"TensorRT {contract.version} failed: out of memory$"):
        engine_builder.build_plan(contract.module, b"", KEY, b"")


def test_a_new_engine_that_cannot_be_loaded_is_reported(contract: Contract) -> None:
    contract.behaviour["Runtime.deserialize_cuda_engine"] = lambda *_: None
    with pytest.raises(ModelError, match="the new engine cannot be loaded"):
        engine_builder.layer_precisions(contract.module, b"plan")


def test_the_contract_notices_what_a_release_lacks(release: Path) -> None:
    trt = Contract(release).module
    builder = trt.Builder(engine_builder.make_logger(trt))
    with pytest.raises(AttributeError, match="Builder has no build_everything"):
        _ = builder.build_everything
    with pytest.raises(AssertionError, match=r"Builder\.create_network"):
        builder.create_network(1, 2, 3)
    with pytest.raises(AssertionError, match="create_builder_config"):
        builder.create_builder_config(fast=True)
    if not tensorrt_contract.description(release)["version"].startswith("8."):
        assert not hasattr(trt.ICudaEngine, "get_binding_name")


# The engine inspector's report

CONVOLUTION = {"Name": "conv", "LayerType": "CaskConvolution", "ParameterType": "Convolution"}


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ({**CONVOLUTION, "Weights": {"Type": "Half", "Count": 9}}, "half"),
        ({**CONVOLUTION, "Weights": {"Type": "Float", "Count": 9}}, "float"),
        ({**CONVOLUTION, "Inputs": [{"Format/Datatype": "Channel major FP16 format"}]}, "half"),
        ({**CONVOLUTION, "Inputs": [{"Format/Datatype": "Half"}]}, "half"),
        ({**CONVOLUTION, "Inputs": [{"Format/Datatype": "Row major linear FP32"}]}, "float"),
        ({**CONVOLUTION, "Inputs": [{"Format/Datatype": "Row major Int8 format"}]}, "other"),
        ({"LayerType": "CaskConvActPool", "Inputs": [{"Format/Datatype": "Float"}]}, "float"),
        ({"LayerType": "Reformat", "Name": "copy for conv0", "Inputs": []}, None),
        ({"LayerType": "PointWiseV2", "Inputs": [{"Format/Datatype": "Float"}]}, None),
        ("conv0 + relu0", None),
    ],
)
def test_convolutions_are_counted_by_precision(layer: object, kind: str | None) -> None:
    counts = engine_builder.count_precisions({"Layers": [layer]})
    assert counts == {name: int(name == kind) for name in ("half", "float", "other")}


@pytest.mark.parametrize("wrong", ["float", "other"])
def test_one_wrong_convolution_is_one_too_many(wrong: str) -> None:
    counts = {"half": 80, "float": 0, "other": 0}
    engine_builder.check_half(counts)
    with pytest.raises(ModelError, match="not all FP16"):
        engine_builder.check_half(counts | {wrong: 1})
