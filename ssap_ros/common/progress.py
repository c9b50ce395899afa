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

"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import NoReturn, Protocol

from tqdm import tqdm

_TERMINAL_S, _LOG_S = 0.2, 5.0
_hidden = False


class Show(Protocol):
    """Shows that `done` of `total` (None: unknown) are done, with a note behind it."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None: ...


def hide_progress(hidden: bool) -> None:
    """Whether this process, one of several workers, keeps its progress to itself."""
    global _hidden
    _hidden = hidden


@contextlib.contextmanager
def progress(title: str, unit: str = "") -> Iterator[Show]:
    """Shown from the first call to the end of the context; without a `unit` only its notes."""
    way = _bar if _hidden or sys.stderr.isatty() else _lines
    with way(title, unit) as show:
        yield show


@contextlib.contextmanager
def _bar(title: str, unit: str) -> Iterator[Show]:
    bar: tqdm[NoReturn] | None = None

    def show(done: int, total: int | None = None, note: str = "") -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(
                desc=title,
                unit=f" {unit}",
                bar_format=None if unit else "{desc}{postfix}",
                mininterval=_TERMINAL_S,
                miniters=0,
                delay=1e-9,  # nothing is drawn before something is done
                dynamic_ncols=True,
                disable=_hidden,
            )
        bar.total = total
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


@contextlib.contextmanager
def _lines(title: str, unit: str) -> Iterator[Show]:
    written_s, line, last = time.monotonic(), "", ""

    def write() -> None:
        nonlocal written_s, last
        print(line, file=sys.stderr, flush=True)
        written_s, last = time.monotonic(), line

    def show(done: int, total: int | None = None, note: str = "") -> None:
        nonlocal line
        parts = [f"{done}/{'?' if total is None else total} {unit}"] if unit else []
        line = f"{title}: {', '.join([*parts, *([note] if note else [])])}"
        if time.monotonic() - written_s >= _LOG_S:
            write()

    try:
        yield show
    finally:
        if line != last:
            write()
