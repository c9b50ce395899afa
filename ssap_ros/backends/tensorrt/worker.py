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

"""The one thread that talks to the GPU: it holds the primary context and one stream.

TensorRT, CuPy and pycuda all work in the context that is current in the calling thread, and frames
come from whatever thread the node happens to use; so everything is handed to this thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

import cupy
import pycuda.driver as cuda

from ssap_ros.backends.base import DeviceError

T = TypeVar("T")

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: what others do on the legacy stream breaks no capture

_GPU_ERRORS = (
    cuda.Error,
    cupy.cuda.runtime.CUDARuntimeError,
    cupy.cuda.driver.CUDADriverError,
    cupy.cuda.memory.OutOfMemoryError,
    cupy.cuda.compiler.CompileException,
)


class GpuWorker:
    """A thread with a CUDA context, on which functions are run one after the other.

    Attributes:
        stream: The stream, for pycuda.
        cupy_stream: The same, for CuPy.
        graph_error: Why the last capture failed, empty if it did not.

    Raises:
        DeviceError: The GPU does not serve.
    """

    stream: Any
    cupy_stream: Any

    def __init__(self, gpu_id: int) -> None:
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = Lock()
        self._closed = False
        self.graph_error = ""
        self._context: Any = None
        # pycuda aborts the process where a thread ends with a context. This one ends by `close`
        # or, being a daemon, never.
        self._thread = Thread(target=self._serve, name="ssap_gpu", daemon=True)
        self._thread.start()
        try:
            self.run(self._open, gpu_id)
        except BaseException:
            self.close()
            raise

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns. Whatever the GPU reports is raised as DeviceError."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise DeviceError("the GPU was given back")
            self._tasks.put((future, partial(function, *arguments)))
        try:
            return future.result()
        except _GPU_ERRORS as error:
            raise DeviceError(f"the GPU failed: {_one_line(error)}") from error

    def capture(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """Record what `enqueue` puts on the stream as a CUDA graph.

        To be called on this thread, after `enqueue` has run once.

        Returns:
            A function that does the same again, faster; `enqueue` itself where it cannot be
            recorded.
        """
        stream, self.graph_error = self.cupy_stream, ""
        try:
            stream.begin_capture()
            try:
                enqueue()
            finally:
                graph = stream.end_capture()
        except (DeviceError, *_GPU_ERRORS) as error:
            self.graph_error = _one_line(error)
            return enqueue
        return lambda: graph.launch(stream)

    def close(self) -> None:
        """Give the context back and end the thread. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._tasks.put((Future(), self._release))  # a broken context goes all the same
            self._tasks.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while task := self._tasks.get():
            future, function = task
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del task, future, function  # what they hold must not live until the next one comes

    def _open(self, gpu_id: int) -> None:
        cuda.init()
        context = cuda.Device(gpu_id).retain_primary_context()
        context.push()
        self._context = context
        cupy.cuda.Device(gpu_id).use()
        # From now on the CUDA runtime holds the primary context as well. So it outlives this
        # worker, and the modules that CuPy remembers stay valid for the next one.
        cupy.cuda.runtime.free(0)
        self.stream = cuda.Stream(_NON_BLOCKING)
        self.cupy_stream = cupy.cuda.ExternalStream(self.stream.handle, gpu_id)

    def _release(self) -> None:
        if self._context is not None:
            context, self._context = self._context, None
            self.cupy_stream = self.stream = None
            context.pop()
            context.detach()


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
