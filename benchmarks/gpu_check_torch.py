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

"""Checks and times the GPU path without TensorRT: the kernels, and the network in PyTorch in FP16.

It needs CuPy, PyTorch and ONNX Runtime; gpu_check.sh calls it. Every part adds its results to one
JSON file as soon as it has them, the most wanted first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from gpu_report import Part, Report, chosen, log, memcheck, report_parser, this_machine

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.backends.resources import default_model_path
from ssap_ros.backends.tensorrt.portable_onnx import read_info
from ssap_ros.config import SsapConfig

HERE = Path(__file__).resolve().parent
SIZES = ((1024, 2048), (576, 768))
NETWORK_SIZES = ((512, 1024), (1024, 2048))
PEAK_FLOPS = 790e12  # measured on an H100 and an H200 by a large matrix product in half precision
NETWORK_RUNS = 50
SANITIZER_SECONDS = 30
REPORT_SECONDS = 70


class Default:
    """The default model, or a checkpoint: as ONNX file, and as network in PyTorch with its weights.

    They are loaded when first asked for, so that what needs no PyTorch comes before.
    """

    def __init__(self, config: Path, checkpoint: Path | None, folder: Path) -> None:
        self._config, self._checkpoint, self._folder = config, checkpoint, folder
        self._loaded: tuple[Path, Any, Any] | None = None

    def load(self) -> tuple[Path, Any, Any]:
        """The ONNX file, a TorchBackend, and an OnnxRuntimeBackend in FP32."""
        if self._loaded is None:
            from torch_backend import TorchBackend, fold_batch_norms, load_onnx_weights

            from ssap_ros.network.checkpoint import load_network
            from ssap_ros.network.export import export_onnx
            from ssap_ros.network.ssap import SsapNetwork
            from ssap_ros.training.settings import load_train_config

            path = default_model_path()
            if self._checkpoint:
                path = self._folder / "checkpoint.onnx"
                info = export_onnx(self._checkpoint, path)
                network, _ = load_network(self._checkpoint)
                fold_batch_norms(network)
            else:
                model = onnx.load(str(path))
                info = read_info(path.read_bytes(), path)
                settings = load_train_config(self._config)
                network = SsapNetwork(settings.network, len(info.classes))
                load_onnx_weights(network, model)
            self._loaded = path, TorchBackend(network, info), OnnxRuntimeBackend(path)
        return self._loaded


def machine() -> dict[str, Any]:
    """What this ran on."""
    import cupy
    import torch

    return {
        **this_machine(),
        "cupy": cupy.__version__,
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
        "onnxruntime": onnxruntime.__version__,
    }


def kernels() -> dict[str, Any]:
    """See gpu_check_kernels."""
    import gpu_check_kernels

    return gpu_check_kernels.check()


def compare(default: Default, size: tuple[int, int]) -> dict[str, Any]:
    """FP16 on the GPU against ONNX Runtime in FP32 on the CPU."""
    import gpu_check_frames

    _, backend, reference = default.load()
    found: dict[str, Any] = gpu_check_frames.compare(backend, reference, _config(size), size)
    return found


def times(default: Default, size: tuple[int, int]) -> dict[str, Any]:
    """Image to labels: the kernels by CuPy, the network in PyTorch, the partition in C++."""
    import gpu_check_frames

    _, backend, _ = default.load()
    return gpu_check_frames.stage_times(backend, _config(size), size)


def network(default: Default, backbone: str, size: tuple[int, int]) -> dict[str, Any]:
    """Milliseconds of the network alone, as a CUDA graph, against what the chip can compute."""
    import torch
    from torch_backend import DEVICE, PRECISION, captured, fold_batch_norms

    from ssap_ros.network.ssap import NetworkConfig, SsapNetwork

    if backbone == "street":
        net = default.load()[1].network
    else:
        torch.manual_seed(0)
        net = SsapNetwork(NetworkConfig(backbone, decoder_width=128, head_kernel=3), 8)
        fold_batch_norms(net)
        net = net.to(DEVICE, PRECISION, memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.zeros(1, 3, *size, dtype=PRECISION, device=DEVICE)
    image = image.to(memory_format=torch.channels_last)
    flops = 0

    def count(conv: Any, _inputs: Any, output: Any) -> None:
        nonlocal flops
        flops += 2 * output.numel() * conv.weight[0].numel()

    hooks = [
        module.register_forward_hook(count)
        for module in net.modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    stream = torch.cuda.Stream()
    with torch.inference_mode():
        net(image)
        for hook in hooks:
            hook.remove()
        with torch.cuda.stream(stream):
            for _ in range(3):
                net(image)
        stream.synchronize()
        run = captured(lambda: net(image), stream)
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with torch.cuda.stream(stream):
            for _ in range(5):
                run()
            start.record(stream)
            for _ in range(NETWORK_RUNS):
                run()
            end.record(stream)
        end.synchronize()
    ms, floor_ms = start.elapsed_time(end) / NETWORK_RUNS, 1e3 * flops / PEAK_FLOPS
    return {"ms": ms, "gflop": flops / 1e9, "floor_ms": floor_ms, "times_floor": ms / floor_ms}


def sanitizer(seconds: float) -> dict[str, Any]:
    """The kernels on small maps under compute-sanitizer's eyes."""
    return memcheck([sys.executable, str(HERE / "gpu_check_kernels.py")], seconds)


def _config(size: tuple[int, int]) -> SsapConfig:
    return SsapConfig(input_long_side=max(size))


def plan(report: Report, default: Default) -> dict[str, Part]:
    """All parts, the most wanted first."""
    parts: dict[str, Part] = {"machine": machine, "kernels": kernels}
    for size in SIZES:
        where = f"street {size[0]}x{size[1]}"
        parts[f"compare {where}"] = lambda s=size: compare(default, s)  # type: ignore[misc]
        parts[f"times {where}"] = lambda s=size: times(default, s)  # type: ignore[misc]
    parts["sanitizer"] = lambda: sanitizer(min(SANITIZER_SECONDS, report.seconds_left))
    for backbone in ("resnet50", "street"):
        for size in NETWORK_SIZES:
            name = f"network {backbone} {size[0]}x{size[1]}"
            parts[name] = lambda b=backbone, s=size: network(default, b, s)  # type: ignore[misc]
    return parts


def main() -> int:
    """Run the parts asked for; 0 if all of them went well."""
    parser = report_parser(__doc__, REPORT_SECONDS)
    parser.add_argument("--checkpoint", type=Path, help="instead of the default model")
    parser.add_argument(
        "--config",
        type=Path,
        default=HERE.parent / "config" / "train_street.yaml",
        help="the training that the default model comes of; it says which network that is",
    )
    options = parser.parse_args()
    report = Report(options.json, options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        default = Default(options.config, options.checkpoint, Path(folder))
        report.run(chosen(plan(report, default), options.parts))
    log("done")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
