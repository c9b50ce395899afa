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

"""The network of the node: loaded in a thread of its own, and again when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ssap_ros.backends import AnyBackend
from ssap_ros.backends.base import OnProgress
from ssap_ros.config import SsapConfig
from ssap_ros.errors import DeviceError
from ssap_ros.node.status import ModelStatus
from ssap_ros.pipeline import Prediction, SsapPipeline
from ssap_ros.stages.class_choice import ClassChoice
from ssap_ros.types import FrameResult, ImageArray, ModelInfo

Load = Callable[[SsapConfig, OnProgress], AnyBackend]

_FAILURES_BEFORE_RELOAD = 3
_POLL_S = 0.05


class ModelHost:
    """Owns backend and pipeline between `load` and `close`.

    Args:
        load_backend: Makes a backend; may take minutes.

    Attributes:
        status: What is reported of all this.
        info: What the model says about itself, None while none is loaded.
        backend_name: What runs it, empty while none is loaded.
    """

    def __init__(self, load_backend: Load) -> None:
        self.status = ModelStatus()
        self.info: ModelInfo | None = None
        self.backend_name = ""
        self.max_batch = 1
        self._load_backend = load_backend
        self._config = SsapConfig()
        self._backend: AnyBackend | None = None
        self._pipeline: SsapPipeline | None = None
        self._thread: threading.Thread | None = None
        self._failures = 0

    @property
    def on_gpu(self) -> bool:
        """Whether the network leaves the CPU free for the rest."""
        return self.backend_name.startswith("tensorrt")

    @property
    def choice(self) -> ClassChoice:
        """The classes that are wanted of the loaded model."""
        assert self.info is not None
        return ClassChoice.of(self._config, self.info)

    @property
    def loading(self) -> bool:
        """Whether a thread is still loading, wanted or not."""
        return self._thread is not None and self._thread.is_alive()

    def load(self, config: SsapConfig, wanted: Callable[[], bool]) -> bool:
        """Load the model.

        Args:
            config: The settings.
            wanted: Polled meanwhile; once it says no, the thread that loads is left to itself.

        Returns:
            False if that failed, as the status says, or is no longer wanted.
        """
        errors: list[Exception] = []

        def run() -> None:
            try:
                self._make(config, wanted)
            except Exception as error:  # whatever it is: the node lives on and says why
                errors.append(error)

        self.status.building()
        self._thread = threading.Thread(target=run, name="ssap_load", daemon=True)
        self._thread.start()
        while self._thread.is_alive() and wanted():
            self._thread.join(_POLL_S)
        if errors or self._thread.is_alive():
            self.status.failed("cannot configure", (errors or [InterruptedError("interrupted")])[0])
            return False
        self.status.loaded()
        return True

    def configure(self, config: SsapConfig) -> None:
        """Use other settings from the next frame on.

        Raises:
            ValueError: The model cannot serve them.
        """
        if self._pipeline is not None:
            self._pipeline.config = config
        self._config = config

    def close(self) -> None:
        """Release the model."""
        self._drop()
        self.info, self.backend_name = None, ""
        self.status.released()

    def predict(self, images: Sequence[ImageArray]) -> list[Prediction]:
        """See SsapPipeline. Where the device or three passes in a row failed, it starts again."""
        try:
            if self._pipeline is None:
                self._make(self._config, lambda: True)
            assert self._pipeline is not None
            predictions = self._pipeline.predict(images)
        except Exception as error:
            self.status.pass_failed(error)
            self._failures += 1
            if isinstance(error, DeviceError) or self._failures == _FAILURES_BEFORE_RELOAD:
                self._drop()
            raise
        self._failures = 0
        self.status.pass_succeeded()
        return predictions

    def segment(self, prediction: Prediction, score_margin: float) -> FrameResult:
        """See SsapPipeline."""
        if self._pipeline is None:
            raise RuntimeError("no model is loaded")
        return self._pipeline.segment(prediction, score_margin)

    def _make(self, config: SsapConfig, wanted: Callable[[], bool]) -> None:
        """Load a backend and build the pipeline on it."""
        backend = self._load_backend(config, self.status.progress)
        try:
            pipeline = SsapPipeline(backend, config)
            if not wanted():
                raise InterruptedError("interrupted")
        except Exception:
            backend.close()
            raise
        self._config, self._backend, self._pipeline, self._failures = config, backend, pipeline, 0
        self.info, self.backend_name, self.max_batch = backend.info, backend.name, backend.max_batch

    def _drop(self) -> None:
        backend, self._backend, self._pipeline, self._failures = self._backend, None, None, 0
        if backend is not None:
            backend.close()
