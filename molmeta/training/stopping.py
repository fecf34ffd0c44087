"""Ctrl-C and a scheduler's SIGTERM, held back until the work at hand can be kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn


class StopSignals:
    """Notes the first SIGINT or SIGTERM while entered; a second one does not wait any longer."""

    def __init__(self) -> None:
        self.number = 0
        """Of the signal that came; 0 if none did."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        # Python allows handlers in the main thread alone; elsewhere nothing is held back.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            leave(number)
        self.number = number


def leave(number: int) -> NoReturn:
    """End as the signal `number` asks.

    Raises:
        KeyboardInterrupt: for SIGINT, which makes a shell's exit code 130.
        SystemExit: for any other, with 128 + number; 143 for SIGTERM.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
