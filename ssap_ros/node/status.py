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

"""What the node is doing, in the words of its diagnostics.

States: unconfigured, building, inactive, disabled, then per camera waiting, wrong_type,
qos_mismatch, stale, rejected, too_old, unmatched, backend_error, over_budget, active.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from enum import IntEnum

from ssap_ros.errors import one_line

STALE_AFTER_S = 2.0


class Level(IntEnum):
    """Severity; the values are those of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


Summary = tuple[Level, str, str]
"""Level, state (one word), and a sentence about it."""


class ModelStatus:
    """Remembers what became of the model.

    Attributes:
        last_error: The latest error, kept for reports after it was overcome.
        backend_errors, recoveries: How often a pass failed, and how often one succeeded after that.
    """

    def __init__(self) -> None:
        self.last_error = ""
        self.backend_errors = self.recoveries = 0
        self._state = "unconfigured"
        self._progress = ""
        self._since_s = 0.0
        self._failing = False

    @property
    def building_s(self) -> float:
        """Seconds since the loading began, 0 if there is none under way."""
        return time.monotonic() - self._since_s if self._state == "building" else 0.0

    def building(self) -> None:
        """The model is being loaded, its engine perhaps built."""
        self._state, self._progress, self._since_s = "building", "", time.monotonic()

    def progress(self, text: str) -> None:
        """The backend says how far it is."""
        self._progress = text

    def loaded(self) -> None:
        """The model can be used."""
        self._state, self._failing, self.last_error = "loaded", False, ""

    def released(self) -> None:
        """No model is loaded, and nothing is wrong."""
        self._state, self._failing = "unconfigured", False

    def failed(self, what: str, error: Exception) -> None:
        """The model cannot be loaded, or a transition failed."""
        self.last_error = describe(what, error)
        self._state, self._failing = "unconfigured", True

    def pass_failed(self, error: Exception) -> None:
        """The backend failed on a frame."""
        self.last_error = describe("backend error", error)
        self.backend_errors += 1
        self._failing = True

    def pass_succeeded(self) -> None:
        """The backend did its work on a frame."""
        if self._failing:
            self.recoveries += 1
            self._failing = False

    def summary(self) -> Summary | None:
        """What there is to say before any camera has its say; None if the model works."""
        if self._state == "building":
            text = self._progress or f"building engine, {self.building_s:.0f} s"
            return Level.WARN, "building", text
        if self._state == "unconfigured":
            if self._failing:
                return Level.ERROR, "unconfigured", self.last_error
            return Level.WARN, "unconfigured", "no model loaded"
        if self._failing:
            times = f"{self.backend_errors} so far, overcome {self.recoveries} times"
            return Level.ERROR, "backend_error", f"{self.last_error} ({times})"
        return None


class CameraStatus:
    """Remembers what happened to the frames of one camera.

    Attributes:
        topics: Where each input comes from, by its name, while the node is active; empty while it
            is not.
        last_error: Why a frame could not be used, kept for reports after others could.
        qos_problem: Why nothing can be received from a publisher, with the hint; empty if nothing
            is wrong.
        n_incomplete: Frames whose partition ran out of time.
    """

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}
        self.last_error = ""
        self.qos_problem = ""
        self.n_incomplete = 0
        self._enabled = True
        self._rejected = ""
        self._dropped: tuple[str, str] | None = None
        self._once: Collection[str] = ()
        self._last_s: dict[str, float] = {}
        self._n_received = self._n_slow = self._n_timed = 0
        self._worst_ms = self._budget_ms = 0.0
        self._rate_since_s = time.monotonic()

    def subscribing(self) -> None:
        """Forget what came before; a message may come before all subscriptions are made."""
        self._last_s = {}
        self._rejected, self._dropped = "", None

    def active(self, topics: Mapping[str, str], *, once: Collection[str] = ()) -> None:
        """Messages are expected on these topics, by the name of the input, the main one first.

        once: the inputs of which one message is enough.
        """
        self.topics, self._once = dict(topics), once

    def inactive(self, *, enabled: bool = True) -> None:
        """Nothing is expected, because the node is inactive or, if so, because it is off."""
        self.topics, self._enabled = {}, enabled

    def came(self, name: str) -> None:
        """A message of this input arrived just now."""
        self._last_s[name] = time.monotonic()
        self._n_received += name == next(iter(self.topics), name)
        self.qos_problem = ""

    def missing(self) -> str | None:
        """The first input of which nothing has come yet."""
        return next((name for name in self.topics if name not in self._last_s), None)

    def succeeded(self, took_ms: float, budget_ms: float) -> None:
        """A frame was processed; budget_ms: what it may take, 0 = any time."""
        self._rejected, self._dropped = "", None
        self._n_timed += 1
        self._budget_ms = budget_ms
        if 0 < budget_ms < took_ms:
            self._n_slow += 1
            self._worst_ms = max(self._worst_ms, took_ms)

    def rejected(self, error: Exception) -> None:
        """A frame could not be used."""
        self.last_error = self._rejected = describe("frame failed", error)

    def too_old(self, age_ms: float, limit_ms: float) -> None:
        """An image waited, or was under way, for too long."""
        self._dropped = (
            "too_old",
            f"image dropped, {age_ms:.0f} ms old where max_image_age_ms is {limit_ms:.0f}; "
            "is use_sim_time right, and are the clocks synchronous?",
        )

    def unmatched(self, reason: str) -> None:
        """Masks were dropped, because nothing of their time came from another input."""
        self.last_error = reason
        self._dropped = "unmatched", reason

    def take_rate(self) -> float:
        """Messages of the main input per second since the last call."""
        now = time.monotonic()
        rate = self._n_received / max(now - self._rate_since_s, 1e-3)
        self._n_received, self._rate_since_s = 0, now
        return rate

    def summary(self) -> Summary:
        """The state of this camera; the count of slow frames starts again."""
        slow, timed, worst = self._n_slow, self._n_timed, self._worst_ms
        self._n_slow = self._n_timed = 0
        self._worst_ms = 0.0
        if not self.topics:
            if not self._enabled:
                return Level.OK, "disabled", "switched off by ~/enable"
            return Level.WARN, "inactive", "configured, not subscribed"
        if self.qos_problem:
            return Level.ERROR, "qos_mismatch", self.qos_problem
        if (name := self.missing()) is not None:
            return Level.WARN, "waiting", f"no {name} yet on {self.topics[name]}"
        last_s, name = min((s, name) for name, s in self._last_s.items() if name not in self._once)
        age_s = time.monotonic() - last_s
        if age_s > STALE_AFTER_S:
            return Level.WARN, "stale", f"no {name} for {age_s:.0f} s on {self.topics[name]}"
        if self._rejected:
            return Level.ERROR, "rejected", self._rejected
        if self._dropped:
            return Level.WARN, *self._dropped
        if slow:
            return (
                Level.WARN,
                "over_budget",
                f"{slow} of {timed} frames took longer than {self._budget_ms:.0f} ms, the slowest "
                f"{worst - self._budget_ms:.0f} ms longer",
            )
        return Level.OK, "active", f"processing {next(iter(self.topics.values()))}"


def describe(what: str, error: Exception) -> str:
    """One line about an error, its type where it has no words of its own."""
    return f"{what}: {one_line(error)}"
