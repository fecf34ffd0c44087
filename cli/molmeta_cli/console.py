"""What a person sees: notes and the summary on stderr, an aligned table on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from molmeta.screening import RowOutput, ScreenSummary

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


@contextmanager
def rows_out(path: str | None, header: Sequence[str], form: dict[str, Any]) -> Iterator[RowOutput]:
    """Where the rows go: a file, the terminal, or CSV into a pipe; `form` goes to `open_output`."""
    from molmeta.assays.outputs import open_output, write_companions

    if path is None and _is_terminal():
        table = TerminalTable(header)
        yield table
        table.finish()
        write_companions(form.get("companions", {}), form["inputs"])
        return
    with open_output(path or "-", header, **form) as out:
        yield out


@contextmanager
def progress_bar(
    input_path: str | None,
    output: str | None,
    quiet: bool,
    share_read: Callable[[], float | None] | None = None,
) -> Iterator[Callable[[int], object] | None]:
    """A bar on the terminal, unless the rows themselves go there.

    With what is known of the `share_read` of the input, it tells the time left.
    """
    to_terminal = output is None and _is_terminal()
    if quiet or input_path is None or to_terminal or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit=" compounds", unit_scale=True) as bar:

        def update(n: int) -> None:
            if share_read is not None and (share := share_read()):
                bar.total = round((bar.n + n) / share)
            bar.update(n)

        yield update


def _is_terminal() -> bool:
    return sys.stdout.isatty()
