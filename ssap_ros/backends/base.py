"""What the pipeline asks of an inference engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ssap_ros.types import FloatArray, ModelInfo, NetworkOutput


class ModelError(RuntimeError):
    """A model file that is missing or does not fit; the message is one line for the user."""


class InferenceBackend(Protocol):
    """A loaded network.

    name: what runs it, for reports.
    info: what the model file says about itself.
    """

    name: str
    info: ModelInfo

    def infer(self, image: FloatArray, levels: Sequence[int]) -> NetworkOutput:
        """Run the network on `image`, normalised, float32 (1, 3, H, W).

        H and W are multiples of the coarsest of `info.levels`, or `info.input_size`.
        Returns the logits of `levels`, a part of `info.levels`, in the order given.
        """
        ...
