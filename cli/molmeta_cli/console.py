"""What a person sees: notes and the summary on stderr, an aligned table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from molmeta.screening import ScreenSummary

MAX_WIDTH: Final = 48
"""Of a column on the terminal; longer cells are cut there, and only there."""

_MEASURED_ROWS: Final = 200
"""Held back to find the widths of the columns; the rest is printed as it comes."""


def tell(text: str, quiet: bool = False) -> None:
    """A line on stderr, so that stdout is nothing but data."""
    if not quiet:
        click.echo(text, err=True)


def counted(n: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


class TerminalTable:
    """Rows to aligned columns on the terminal."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._held: list[list[str]] = [[_shown(column) for column in columns]]
        self._widths: list[int] = []

    def write(self, cells: Sequence[str]) -> None:
        """Add one row."""
        row = [_shown(cell) for cell in cells]
        if self._widths:
            self._print(row)
            return
        self._held.append(row)
        if len(self._held) > _MEASURED_ROWS:
            self.finish()

    def finish(self) -> None:
        """Print what is held back."""
        if not self._widths:
            self._widths = [max(map(len, cells)) for cells in zip(*self._held, strict=True)]
            for row in self._held:
                self._print(row)

    def _print(self, row: Sequence[str]) -> None:
        cells = (cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _shown(cell: str) -> str:
    # A file from elsewhere must not send control sequences to the terminal.
    text = cell if cell.isprintable() else ascii(cell)[1:-1]
    return text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 3] + "..."


def tell_summary(summary: ScreenSummary, quiet: bool) -> None:
    """How many rows got which status, and what to make of it."""
    from molmeta.chem.status import Status

    counts = ", ".join(f"{n} {status}" for status, n in summary.by_status.most_common())
    tell(f"{counted(summary.n_rows, 'row')}: {counts or 'a header and nothing else'}.", quiet)
    if summary.n_failed:
        tell(f"No score for {counted(summary.n_failed, 'row')}; the column reason says why.", quiet)
    if far := summary.by_status[Status.WARN_DOMAIN]:
        tell(
            f"Unlike every support compound (warn_domain): {far} of {summary.n_rows}; take these "
            "scores as guesses.",
            quiet,
        )
    if summary.n_in_support:
        tell(f"Support compounds themselves (in_support): {summary.n_in_support}.", quiet)
    if summary.n_seen:
        tell(
            f"Known: {summary.n_seen} of the {summary.n_rows} molecules occur in the public assays "
            "that the model was trained on; leave them out when you judge how good the scores are.",
            quiet,
        )
