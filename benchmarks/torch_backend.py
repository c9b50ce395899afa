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

"""The network in PyTorch on the GPU, FP16, with the node's own kernels before and after it.

It serves where there is no TensorRT, to check and to time everything else of the GPU path.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import cupy
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ssap_ros.backends.tensorrt.gpu_kernels import GpuKernels, partition_classes
from ssap_ros.backends.tensorrt.layout import FrameLayout
from ssap_ros.network.ssap import SsapNetwork
from ssap_ros.stages.affinity import AffinityPyramid, content_cells
from ssap_ros.stages.preprocess import fit_input
from ssap_ros.types import ImageArray, ModelInfo, NetworkOutput

torch.backends.cudnn.benchmark = True
DEVICE, PRECISION = "cuda", torch.half
_HEADER_BYTES = 64  # before the frame, as in TensorRTBackend
_FRAMES_IN_USE = 4  # the pyramids of so many frames stay valid


def fold_batch_norms(network: SsapNetwork) -> list[nn.Conv2d]:
    """Make every batch norm part of the convolution before it, as the export to ONNX does.

    Returns:
        The convolutions in the order in which they run.
    """
    order: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_hook(lambda m, _i, _o, name=name: order.append((name, m)))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    for (_, conv), (name, norm) in pairwise(order):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            mean, variance = norm.running_mean, norm.running_var
            assert mean is not None
            assert variance is not None
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, mean, variance, norm.eps, norm.weight, norm.bias
            )
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, nn.Identity())
    return [module for _, module in order if isinstance(module, nn.Conv2d)]


def load_onnx_weights(network: SsapNetwork, model: onnx.ModelProto) -> None:
    """Give `network` the weights of the ONNX file that was once exported from its like.

    Its batch norms are folded.

    Raises:
        ValueError: The convolutions are others.
    """
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    theirs = [node.input for node in model.graph.node if node.op_type == "Conv"]
    ours = fold_batch_norms(network)
    if len(ours) != len(theirs):
        raise ValueError(f"expected {len(ours)} convolutions in the ONNX file, got {len(theirs)}")
    for conv, (_, weight, bias) in zip(ours, theirs, strict=True):
        values = [torch.from_numpy(numpy_helper.to_array(arrays[n]).copy()) for n in (weight, bias)]
        if values[0].shape != conv.weight.shape:
            raise ValueError(
                f"expected weights {tuple(conv.weight.shape)}, got {tuple(values[0].shape)}"
            )
        conv.weight, conv.bias = (nn.Parameter(value) for value in values)


def captured(function: Callable[[], None], stream: Any) -> Callable[[], None]:
    """A function that does again what `function` puts on the stream, as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        function()
    return graph.replay


def pinned(n_bytes: int) -> Tensor:
    """Page-locked memory."""
    return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True)


class TorchBackend:
    """An InferenceBackend that keeps everything between the pixels and the edge costs on the GPU.

    Args:
        network: In single precision, batch norms folded; it is changed to half precision, in place.

    Attributes:
        device_ms: Milliseconds of the last run of each stage on the GPU, by its own clock.
    """

    name = "torch fp16"
    max_batch = 1

    def __init__(self, network: SsapNetwork, info: ModelInfo) -> None:
        self.info = info
        self.device_ms: dict[str, float] = {}
        self.network = network.to(DEVICE, PRECISION, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._stream = torch.cuda.Stream()
        self._kernels = GpuKernels(info, cupy.cuda.ExternalStream(self._stream.cuda_stream, 0))
        self._memory: dict[str, Tensor] = {}
        self._turn = 0
        self._outputs: dict[str, Tensor] = {}
        self._captured: tuple[int, ...] = ()
        self._classes = torch.from_numpy(partition_classes(info)).to(DEVICE)

    def preprocess(
        self, images: Sequence[ImageArray], long_side: int
    ) -> tuple[tuple[int, ...], float]:
        """See InferenceBackend; the tensor stays on the GPU, its shape is returned."""
        [image] = images
        fitted = fit_input(image, self.info, long_side)
        shape = (1, 3, *fitted.size)
        host = self._buffer("pixels", image.nbytes, pinned)
        np.copyto(host.numpy().reshape(image.shape), image)
        with self._timed("preprocess"):
            pixels = self._buffer("image", image.nbytes, _on_gpu)
            pixels.copy_(host, non_blocking=True)
            self._kernels.preprocess(
                pixels.data_ptr(),
                (1, *image.shape),
                self._buffer("tensor", 4 * int(np.prod(shape)), _on_gpu).data_ptr(),
                fitted.size,
                fitted.content,
                smaller=fitted.scale < 1,
            )
        return shape, fitted.scale

    def infer(self, tensor: tuple[int, ...], levels: Sequence[int]) -> tuple[Any, Any]:
        """See InferenceBackend; the logits stay on the GPU."""
        if tensor != self._captured:
            address = self._memory["tensor"].view(torch.float32).view(tensor)
            with torch.cuda.stream(self._stream):
                for _ in range(3):  # the first runs do things that a graph must not hold
                    self._enqueue(address)
            self._stream.synchronize()
            self._replay = captured(lambda: self._enqueue(address), self._stream)
            self._captured = tensor
        with self._timed("inference"):
            self._replay()
        return tensor, tuple(levels)

    def affinity_pyramids(
        self, logits: tuple[Any, Any], content: tuple[int, int], segmentation_refinement: bool
    ) -> list[AffinityPyramid]:
        """See InferenceBackend; costs and probabilities are float16."""
        shape, levels = logits
        cells = content_cells(content, levels[0], len(levels))
        layout = FrameLayout(cells, len(self.info.classes))
        n_cells, n_bytes = cells[0][0] * cells[0][1], _HEADER_BYTES + layout.nbytes
        maps = [
            tuple(self._outputs[f"{kind}_{i}"].data_ptr() for kind in ("semantic", "affinity"))
            for i in levels
        ]
        table = layout.levels(shape[2:], levels, maps).view(np.uint8)  # type: ignore[arg-type]
        levels_host = self._buffer("levels on the host", table.nbytes, pinned)
        np.copyto(levels_host.numpy(), table)
        host = self._next_frame(n_bytes)
        with self._timed("affinity"):
            levels_device = self._buffer("levels", table.nbytes, _on_gpu)
            levels_device.copy_(levels_host, non_blocking=True)
            frames = self._buffer("frames", n_bytes, _on_gpu)
            frames[:_HEADER_BYTES].zero_()
            scores = self._buffer("scores", 4 * n_cells * len(self.info.thing_ids), _on_gpu)
            self._kernels.pyramids(
                layout,
                1,
                levels=levels_device.data_ptr(),
                partition_classes=self._classes.data_ptr(),
                frames=frames.data_ptr() + _HEADER_BYTES,
                not_finite=frames.data_ptr(),
                object_scores=scores.data_ptr(),
                minus_entropies=self._buffer("entropies", 4 * n_cells, _on_gpu).data_ptr(),
                refine=segmentation_refinement,
            )
            host.copy_(frames, non_blocking=True)
        if host[:_HEADER_BYTES].any():
            raise RuntimeError("the network's output is not finite")
        return [layout.pyramid(host.numpy()[_HEADER_BYTES:])]

    def fetch(self, logits: tuple[Any, Any]) -> list[NetworkOutput]:
        """The logits in the host's memory."""
        semantic, affinities = (
            tuple(self._outputs[f"{kind}_{i}"][0].cpu().numpy() for i in logits[1])
            for kind in ("semantic", "affinity")
        )
        return [NetworkOutput(semantic, affinities)]

    def close(self) -> None:
        """See InferenceBackend; the memory goes with the object."""

    @torch.inference_mode()
    def _enqueue(self, tensor: Tensor) -> None:
        image = tensor.to(PRECISION, memory_format=torch.channels_last)
        semantic, affinities = self.network(image)
        for kind, maps in (("semantic", semantic), ("affinity", affinities)):
            for level, values in zip(self.info.levels, maps, strict=True):
                name = f"{kind}_{level}"
                if name not in self._outputs or self._outputs[name].shape != values.shape:
                    self._outputs[name] = torch.empty(values.shape, device=DEVICE)
                self._outputs[name].copy_(values)

    def _buffer(self, name: str, n_bytes: int, make: Callable[[int], Tensor]) -> Tensor:
        if name not in self._memory or len(self._memory[name]) != n_bytes:
            self._memory[name] = make(n_bytes)
        return self._memory[name]

    def _next_frame(self, n_bytes: int) -> Tensor:
        self._turn = (self._turn + 1) % _FRAMES_IN_USE
        return self._buffer(f"frame {self._turn} on the host", n_bytes, pinned)

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """What is put on the stream within has been done at the end."""
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with torch.cuda.stream(self._stream):
            start.record(self._stream)
            yield
            end.record(self._stream)
        end.synchronize()
        self.device_ms[stage] = start.elapsed_time(end)


def _on_gpu(n_bytes: int) -> Tensor:
    return torch.empty(n_bytes, dtype=torch.uint8, device=DEVICE)
