"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

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
    """A bar for as long as the context lasts; without a `unit` only its notes are shown."""
    interval = _TERMINAL_S if sys.stderr.isatty() else _LOG_S
    with tqdm(
        desc=title,
        unit=f" {unit}",
        bar_format=None if unit else "{desc}{postfix}",
        mininterval=interval,
        maxinterval=2 * interval,
        miniters=0,
        dynamic_ncols=True,
        disable=_hidden,
    ) as bar:

        def show(done: int, total: int | None = None, note: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(note, refresh=False)
            bar.update(done - bar.n)

        yield show
