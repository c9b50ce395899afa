"""One line of progress on stderr, on terminals and in logs."""

from __future__ import annotations

import sys
import time

_TERMINAL_S, _LOG_S = 0.2, 5.0


class ProgressLine:
    """Rewrites its line on a terminal; elsewhere writes a new one every few seconds.

    enabled: whether this process shows progress at all.
    """

    enabled = True

    def __init__(self, title: str) -> None:
        self._title = title
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def show(self, text: str, *, force: bool = False) -> None:
        """Show `text` if the last one is old enough, or at once."""
        now = time.monotonic()
        if self.enabled and (
            force or now - self._last >= (_TERMINAL_S if self._terminal else _LOG_S)
        ):
            self._last = now
            self._write(text)

    def end(self) -> None:
        """Leave the line; the last text shown stays."""
        if self._terminal:
            print(file=sys.stderr)

    def _write(self, text: str) -> None:
        line = f"{self._title}: {text}"
        if self._terminal:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
