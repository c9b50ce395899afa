"""Checkpoint -> ONNX: logits outputs with fixed names, and the model's description as metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import onnx
import torch
from torch import Tensor, nn

from ssap_ros.errors import InputError
from ssap_ros.model_info import METADATA_KEY, model_info_to_json
from ssap_ros.network.ssap import LEVELS, NetworkConfig, SsapNetwork
from ssap_ros.types import ModelInfo

OPSET = 17


def export_onnx(
    checkpoint: Path,
    out: Path,
    half: bool = False,
    long_side: int | None = None,
    affinity_bias: Sequence[float] = (0.0,) * len(LEVELS),
) -> ModelInfo:
    """Write the averaged weights of a training checkpoint as an ONNX file.

    Input `image`, float32 (1, 3, H, W), normalised, sides multiples of 64; outputs `semantic_<s>`
    and `affinity_<s>` for each stride s, logits, float32. With `half` all weights and layers are
    float16 and only the input and the outputs are float32. `long_side` overrides the side the
    model asks its input to be scaled to. `affinity_bias` calibrates: one number per level, finest
    first, is added to the affinity logits; below 0 it separates, above 0 it joins. Raises
    InputError if the checkpoint cannot be read.
    """
    if len(affinity_bias) != len(LEVELS):
        raise InputError(f"expected {len(LEVELS)} affinity biases, got {len(affinity_bias)}")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        config = state["config"]
    except OSError as error:
        raise InputError(f"cannot read {checkpoint}: {error.strerror}") from error
    except (LookupError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise InputError(f"{checkpoint} is not a training checkpoint: {error!r}") from error
    network = SsapNetwork(NetworkConfig(**config["network"]), len(config["classes"]))
    network.load_state_dict(state["average"])
    for i, bias in enumerate(affinity_bias):
        network.get_parameter(f"affinity_heads.{i}.3.bias").data += bias
    info = ModelInfo(
        classes=tuple(config["classes"]),
        thing_ids=tuple(config["thing_ids"]),
        levels=LEVELS,
        window=config["network"]["window"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        input_size=None,
        long_side=long_side or config["long_side"],
    )
    write_onnx(network, info, out, half)
    return info


def write_onnx(network: SsapNetwork, info: ModelInfo, out: Path, half: bool = False) -> None:
    """Write `network` in evaluation mode to `out`, with `info` in the metadata."""
    network.eval()
    wrapped = _Flat(network.half() if half else network, half).eval()
    names = [f"{kind}_{stride}" for kind in ("semantic", "affinity") for stride in info.levels]
    image = torch.zeros(1, 3, 2 * info.levels[-1], 2 * info.levels[-1])
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        wrapped,
        (image,),
        str(out),
        dynamo=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=names,
        dynamic_axes={
            "image": {2: "height", 3: "width"},
            **{
                name: {2: f"height_{name.split('_')[1]}", 3: f"width_{name.split('_')[1]}"}
                for name in names
            },
        },
    )
    model = onnx.load(str(out))
    onnx.helper.set_model_props(model, {METADATA_KEY: model_info_to_json(info)})
    onnx.save(model, str(out))


class _Flat(nn.Module):
    """The network with one flat tuple of float32 outputs, cast at its borders if it is in half."""

    def __init__(self, network: SsapNetwork, half: bool) -> None:
        super().__init__()
        self.network, self.half_precision = network, half

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        semantic, affinities = self.network(image.half() if self.half_precision else image)
        return tuple(x.float() for x in (*semantic, *affinities))
