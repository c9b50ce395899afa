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

"""TensorRT on an NVIDIA GPU: from the camera's pixels to the partition's costs without a detour."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pycuda.driver as cuda

from ssap_ros.backends.base import DeviceError, ModelError, OnProgress
from ssap_ros.backends.tensorrt.cache import IncompatibleEngineError, Shape
from ssap_ros.backends.tensorrt.driver import Gpu
from ssap_ros.backends.tensorrt.engine import VERSION, TensorRTEngine
from ssap_ros.backends.tensorrt.gpu_kernels import GpuKernels, partition_classes
from ssap_ros.backends.tensorrt.layout import FrameLayout
from ssap_ros.backends.tensorrt.lookup import engine_key, find_engine
from ssap_ros.backends.tensorrt.memory import GpuMemory
from ssap_ros.backends.tensorrt.portable_onnx import read_info
from ssap_ros.backends.tensorrt.worker import GpuWorker
from ssap_ros.config import SsapConfig
from ssap_ros.stages.affinity import AffinityPyramid, content_cells
from ssap_ros.stages.preprocess import fit_input
from ssap_ros.types import FloatArray, ImageArray, ModelInfo, NetworkOutput

_HEADER_BYTES = 64  # before the frames: an int32 per image, not 0 if its logits are not finite


class TensorRTBackend:
    """A network as a TensorRT engine, with everything up to the edge costs on the GPU.

    Only the images go there and only the frames (see FrameLayout) come back, through page-locked
    memory. The calls may come from any thread; one thread of its own talks to the GPU.

    Args:
        plan: The engine.
        info: Of the model that it was built from; where the engine takes one input size alone,
            `info` says so.
        size_needed: (height, width) of the largest network input to come.

    Attributes:
        device_ms: Milliseconds of the last run of each stage on the GPU, by its own clock.

    Raises:
        IncompatibleEngineError: The engine cannot be used.
        DeviceError: The GPU fails.
    """

    def __init__(
        self, plan: bytes, info: ModelInfo, gpu_id: int, size_needed: tuple[int, int]
    ) -> None:
        self.name = f"tensorrt {VERSION}"
        self.info = info
        self.device_ms: dict[str, float] = {}
        self._size_needed = size_needed
        self._engine: TensorRTEngine | None = None
        self._memory = GpuMemory()
        self._kernels: Any = None
        self._events: Any = None
        self._captured: Shape | None = None
        self._run = self._enqueue
        self._worker = GpuWorker(gpu_id)
        atexit.register(self.close)
        try:
            self._worker.run(self._open, plan)
        except BaseException:
            self.close()
            raise

    def preprocess(self, images: Sequence[ImageArray], long_side: int) -> tuple[Shape, float]:
        """See InferenceBackend; the tensor stays on the GPU, its shape is returned."""
        return self._worker.run(self._preprocess, images, long_side)

    def infer(self, tensor: Shape, levels: Sequence[int]) -> tuple[Shape, tuple[int, ...]]:
        """See InferenceBackend; the logits stay on the GPU."""
        return self._worker.run(self._infer, tensor, levels)

    def affinity_pyramids(
        self,
        logits: tuple[Shape, tuple[int, ...]],
        content: tuple[int, int],
        segmentation_refinement: bool,
    ) -> list[AffinityPyramid]:
        """Compute costs and class maps on the GPU; see InferenceBackend.

        Returns:
            A pyramid per image; costs and probabilities are float16.

        Raises:
            DeviceError: The logits are not finite.
        """
        arguments = (*logits, content, segmentation_refinement)
        return self._worker.run(self._affinity_pyramids, *arguments)

    def fetch(self, logits: tuple[Shape, tuple[int, ...]]) -> list[NetworkOutput]:
        """The logits in the host's memory, one output per image, for comparisons."""
        return self._worker.run(self._fetch, *logits)

    def close(self) -> None:
        """See InferenceBackend; first execution context and engine go, the CUDA context last."""
        with contextlib.suppress(DeviceError):  # closed before, or a broken GPU
            self._worker.run(self._release)
        self._worker.close()
        atexit.unregister(self.close)

    @property
    def graph_error(self) -> str:
        """Why the network does not run as a CUDA graph, empty if it does."""
        return self._worker.graph_error

    # On the worker's thread

    def _open(self, plan: bytes) -> None:
        engine = TensorRTEngine(plan, self.info)
        self._engine = engine
        self.max_batch, _, height, width = engine.max_shape
        if engine.min_shape[2:] == engine.max_shape[2:]:
            self.info = dataclasses.replace(self.info, input_size=(height, width))
        elif self._size_needed[0] > height or self._size_needed[1] > width:
            raise IncompatibleEngineError(
                f"the engine takes at most {height} x {width}, needed are {self._size_needed}"
            )
        self._kernels = GpuKernels(self.info, self._worker.cupy_stream)
        self._events = cuda.Event(), cuda.Event()
        memory = self._memory
        engine.bind("image", memory.device("tensor", 4 * int(np.prod(engine.max_shape))))
        for name, channels in engine.channels.items():
            stride = int(name.rpartition("_")[2])
            cells = (height // stride) * (width // stride)
            engine.bind(name, memory.device(name, 4 * self.max_batch * channels * cells))
        classes = partition_classes(self.info)
        address = memory.device("partition_classes", classes.nbytes)
        cuda.memcpy_htod_async(address, classes, self._worker.stream)
        self._worker.stream.synchronize()

    def _preprocess(self, images: Sequence[ImageArray], long_side: int) -> tuple[Shape, float]:
        fitted, *_ = [fit_input(image, self.info, long_side) for image in images]
        shape = (len(images), 3, *fitted.size)
        least, most = self._loaded.min_shape, self._loaded.max_shape
        if not all(low <= n <= high for low, n, high in zip(least, shape, most, strict=True)):
            raise ValueError(f"the engine takes inputs from {least} to {most}, got {shape}")
        pixels = self._memory.host("images", len(images) * images[0].size)
        np.stack(images, out=pixels.reshape(len(images), *images[0].shape))
        with self._timed("preprocess") as stream:
            device = self._memory.device("images", pixels.nbytes)
            cuda.memcpy_htod_async(device, pixels, stream)
            self._kernels.preprocess(
                device,
                (len(images), *images[0].shape),
                self._memory.address("tensor"),
                fitted.size,
                fitted.content,
                smaller=fitted.scale < 1,
            )
        return shape, fitted.scale

    def _infer(self, tensor: Shape, levels: Sequence[int]) -> tuple[Shape, tuple[int, ...]]:
        if tensor != self._captured:
            self._captured = None
            self._loaded.set_input_shape(tensor)
            self._enqueue()  # the first run of a shape does things that a graph must not hold
            self._worker.stream.synchronize()
            self._run = self._worker.capture(self._enqueue)
            self._captured = tensor
        with self._timed("inference"):
            self._run()
        return tensor, tuple(levels)

    def _affinity_pyramids(
        self, tensor: Shape, levels: tuple[int, ...], content: tuple[int, int], refine: bool
    ) -> list[AffinityPyramid]:
        n, memory = tensor[0], self._memory
        cells = content_cells(content, levels[0], len(levels))
        layout = FrameLayout(cells, len(self.info.classes))
        n_cells = n * cells[0][0] * cells[0][1]
        maps = [(memory.address(f"semantic_{i}"), memory.address(f"affinity_{i}")) for i in levels]
        table = layout.levels(tensor[2:], levels, maps).view(np.uint8)
        levels_host = memory.host("levels", table.nbytes)
        levels_host[:] = table
        frames_host = memory.lease(_HEADER_BYTES + n * layout.nbytes)
        with self._timed("affinity") as stream:
            levels_device = memory.device("levels", table.nbytes)
            header = memory.device("frames", frames_host.nbytes)
            cuda.memcpy_htod_async(levels_device, levels_host, stream)
            cuda.memset_d32_async(header, 0, _HEADER_BYTES // 4, stream)
            self._kernels.pyramids(
                layout,
                n,
                levels=levels_device,
                partition_classes=memory.address("partition_classes"),
                frames=header + _HEADER_BYTES,
                not_finite=header,
                object_scores=memory.device("scores", 4 * n_cells * len(self.info.thing_ids)),
                minus_entropies=memory.device("entropies", 4 * n_cells),
                refine=refine,
            )
            cuda.memcpy_dtoh_async(frames_host, header, stream)
        if frames_host[:_HEADER_BYTES].any():
            raise DeviceError("the network's output is not finite; precision fp32 may help")
        frames = frames_host[_HEADER_BYTES:].reshape(n, layout.nbytes)
        return [layout.pyramid(frame) for frame in frames]

    def _fetch(self, tensor: Shape, levels: tuple[int, ...]) -> list[NetworkOutput]:
        def maps(kind: str, stride: int) -> FloatArray:
            channels = self._loaded.channels[f"{kind}_{stride}"]
            host = np.empty((tensor[0], channels, *(side // stride for side in tensor[2:])), "f4")
            cuda.memcpy_dtoh(host, self._memory.address(f"{kind}_{stride}"))
            return host

        semantic, affinities = ([maps(k, i) for i in levels] for k in ("semantic", "affinity"))
        return [
            NetworkOutput(tuple(s[i] for s in semantic), tuple(a[i] for a in affinities))
            for i in range(tensor[0])
        ]

    def _release(self) -> None:
        self._captured, self._run = None, self._enqueue
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        self._memory.free()
        self._kernels = self._events = None

    @property
    def _loaded(self) -> TensorRTEngine:
        if self._engine is None:
            raise DeviceError("the backend is closed")
        return self._engine

    def _enqueue(self) -> None:
        self._loaded.enqueue(self._worker.stream.handle)

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[Any]:
        """Yields the stream; what is put on it within has been done at the end."""
        start, end = self._events
        start.record(self._worker.stream)
        yield self._worker.stream
        end.record(self._worker.stream)
        end.synchronize()
        self.device_ms[stage] = start.time_till(end)


def load_tensorrt(
    model: Path, config: SsapConfig, gpu: Gpu, on_progress: OnProgress
) -> TensorRTBackend:
    """Load an ONNX file; an engine is built if there is none that fits.

    Returns:
        The backend, ready to run.

    Raises:
        ModelError: The model is incompatible, or no engine of it can be built.
        DeviceError: The GPU fails.
    """
    content = model.read_bytes()
    info = read_info(content, model)
    key = engine_key(content, info, config, gpu, VERSION)
    size_needed = key.opt_shape[2:]
    for force in (config.force_engine_update, True):
        plan = find_engine(model, key, config, on_progress, force=force)
        try:
            return TensorRTBackend(plan, info, config.gpu_id, size_needed)
        except IncompatibleEngineError as error:
            reason = error
            on_progress(f"{reason}; building it")
    raise ModelError(f"the engine of {model} cannot be used: {reason}")
