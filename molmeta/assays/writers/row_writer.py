"""What every writer offers, and how its text becomes bytes."""

from collections.abc import Sequence
from typing import Protocol


class Sink(Protocol):
    """Where the bytes of a file go."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""


class RowWriter(Protocol):
    """One format: rows in, bytes out."""

    def write(self, cells: Sequence[str]) -> None:
        """Add one row, a cell of text for each column."""

    def finish(self) -> None:
        """Write what is held back."""

    def close(self) -> None:
        """Write what ends the file; a second call does nothing."""


def encoded(text: str) -> bytes:
    """The text in UTF-8, whatever the locale; a lone surrogate is escaped."""
    return text.encode("utf-8", "backslashreplace")


def on_one_line(text: str) -> str:
    """The text with a blank for each tab and line end, for formats that have no quotes."""
    return " ".join(text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "\n").split("\n"))
