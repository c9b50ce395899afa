"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
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
    """A bar from the first call to the end of the context; without a `unit` only its notes."""
    bar: tqdm[NoReturn] | None = None

    def show(done: int, total: int | None = None, note: str = "") -> None:
        nonlocal bar
        if bar is None:
            bar = _bar(title, unit)
        bar.total = total
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def _bar(title: str, unit: str) -> tqdm[NoReturn]:
    terminal = sys.stderr.isatty()
    in_a_log = "{desc}: {n_fmt}/{total_fmt}{unit}{postfix}"
    return tqdm(
        desc=title,
        unit=f" {unit}",
        bar_format="{desc}{postfix}" if not unit else None if terminal else in_a_log,
        mininterval=_TERMINAL_S if terminal else _LOG_S,
        miniters=0,
        delay=1e-9,  # nothing is drawn before something is done
        dynamic_ncols=True,
        disable=_hidden,
    )
