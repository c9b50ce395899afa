"""What the node is doing, in the words of its diagnostics."""

from __future__ import annotations

import time
from enum import IntEnum

STALE_AFTER_S = 2.0


class Level(IntEnum):
    """Severity; the values are those of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


class NodeStatus:
    """Remembers what happened; `summary` says what it means.

    topic: where images come from while the node is active, None while it is not.
    last_error: the latest error of all, kept for reports after it was overcome.
    """

    def __init__(self) -> None:
        self.last_error = ""
        self.topic: str | None = None
        self._model_loaded = False
        self._failing = False
        self._last_image_s: float | None = None

    def unconfigured(self) -> None:
        """No model is loaded."""
        self._model_loaded = self._failing = False

    def configured(self) -> None:
        """A model is loaded."""
        self._model_loaded, self._failing, self.last_error = True, False, ""

    def active(self, topic: str) -> None:
        """Images are expected on `topic`."""
        self.topic, self._last_image_s = topic, None

    def inactive(self) -> None:
        """No images are expected."""
        self.topic = None

    def image_came(self) -> None:
        """An image arrived just now."""
        self._last_image_s = time.monotonic()

    def succeeded(self) -> None:
        """A frame was processed."""
        self._failing = False

    def failed(self, what: str, error: Exception) -> None:
        """A frame, or a transition, ended in `error`."""
        self.last_error = f"{what}: {str(error) or type(error).__name__}"
        self._failing = True

    def summary(self) -> tuple[Level, str, str]:
        """Level, state (one word), and a sentence about it."""
        if not self._model_loaded:
            if self._failing:
                return Level.ERROR, "unconfigured", self.last_error
            return Level.WARN, "unconfigured", "no model loaded"
        if self.topic is None:
            return Level.WARN, "inactive", "model loaded, not subscribed"
        if self._last_image_s is None:
            return Level.WARN, "waiting", f"no image yet on {self.topic}"
        age_s = time.monotonic() - self._last_image_s
        if age_s > STALE_AFTER_S:
            return Level.WARN, "stale", f"no image for {age_s:.0f} s on {self.topic}"
        if self._failing:
            return Level.ERROR, "rejected", self.last_error
        return Level.OK, "active", f"processing {self.topic}"
