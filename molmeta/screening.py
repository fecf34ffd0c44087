"""A table of any size through a TargetModel: each row in, the same row out with its score.

Rows are taken in chunks, so that the memory does not grow with the table. With `top` only the best
rows are kept, in a heap of that size.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from molmeta.assays.tables import Row
from molmeta.chem.status import Status
from molmeta.target import ScoredRow, TargetModel

CHUNK: Final = 2_000
"""Rows held at a time; repeated molecules within a chunk are computed once."""

_ABOUT_MOLECULES: Final = ("deviation", "similarity", "in_support", "known", "status", "reason")

APPENDED: Final = ("probability", *_ABOUT_MOLECULES)
"""Columns that follow the input's own; with `top`, "rank" comes before them."""

APPENDED_VALUES: Final = ("value", "low", "high", *_ABOUT_MOLECULES)
"""The same where values are predicted."""

NUMERIC: Final = ("rank", "probability", "value", "low", "high", "deviation", "similarity")
"""The appended columns that hold numbers or nothing."""

PREFIX: Final = "molmeta_"
"""Put before an appended column whose name the input has already."""


class RowOutput(Protocol):
    """Where rows go: a file of `open_output`, or a table on the screen."""

    def write(self, cells: Sequence[str]) -> None:
        """Add one row."""


@dataclass(slots=True)
class ScreenSummary:
    """How many rows there were, and what became of them."""

    n_rows: int = 0
    """Of the input, those left out by `top` included."""
    n_failed: int = 0
    """Rows without a score."""
    n_in_support: int = 0
    n_seen: int = 0
    """Rows whose molecule meta-training used."""
    by_status: Counter[Status] = field(default_factory=Counter)

    def add(self, row: ScoredRow) -> None:
        """Count one row."""
        self.n_rows += 1
        self.n_failed += not row.is_usable
        self.n_in_support += row.in_support
        self.n_seen += row.seen
        self.by_status[row.status] += 1


def appended_columns(
    columns: Sequence[str], *, ranked: bool, values: bool = False
) -> dict[str, str]:
    """Name of each appended column -> what it is called next to the input's `columns`.

    Args:
        columns: of the input.
        ranked: whether there is a rank, as with `top`.
        values: whether values are predicted.
    """
    taken = set(columns)
    names = {}
    appended = APPENDED_VALUES if values else APPENDED
    for name in (*(("rank",) if ranked else ()), *appended):
        free = name
        while free in taken:
            free = PREFIX + free
        names[name] = free
        taken.add(free)
    return names


def screen(
    target: TargetModel,
    rows: Iterable[Row],
    output: RowOutput,
    *,
    top: int | None = None,
    chunk_size: int = CHUNK,
    progress: Callable[[int], object] | None = None,
) -> ScreenSummary:
    """Score `rows` and write them, their cells unchanged, followed by the appended columns.

    Args:
        target: the adapted model.
        rows: a Table, or rows made by hand.
        output: one row goes out for each that comes in, in order.
        top: write only this many, the best first and equal ones in the order of the input; rows
            without a score are left out.
        chunk_size: rows held at a time.
        progress: called with the number of rows done since the last call.

    Raises:
        InputError: the table turns out to be damaged.
        OutputError: a row cannot be written.
    """
    summary = ScreenSummary()
    best: list[_Ranked] = []
    for chunk in _chunks(rows, chunk_size):
        for row, scored in zip(chunk, _score(target, chunk), strict=True):
            summary.add(scored)
            if top is None:
                output.write((*row.cells, *_cells(scored, target)))
            elif scored.merit is not None:
                ranked = _Ranked(scored.merit, -summary.n_rows, row.cells, scored)
                if len(best) < top:
                    heapq.heappush(best, ranked)
                else:
                    heapq.heappushpop(best, ranked)
        if progress is not None:
            progress(len(chunk))
    for rank, one in enumerate(sorted(best, reverse=True), start=1):
        output.write((*one.cells, str(rank), *_cells(one.scored, target)))
    return summary


@dataclass(frozen=True, slots=True, order=True)
class _Ranked:
    """A row that may be among the best; the smallest goes first, the later one of two equals."""

    merit: float
    minus_place: int
    cells: tuple[str, ...] = field(compare=False)
    scored: ScoredRow = field(compare=False)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, size)):
        yield chunk


def _score(target: TargetModel, rows: Sequence[Row]) -> list[ScoredRow]:
    """One ScoredRow a row; rows that the file itself damaged are not looked at."""
    scored = iter(target.score([row.smiles for row in rows if row.problem is None]))
    return [
        next(scored) if row.problem is None else ScoredRow(row.problem.status, row.problem.reason)
        for row in rows
    ]


def _cells(row: ScoredRow, target: TargetModel) -> tuple[str, ...]:
    """The cells of the appended columns; what is not known is an empty cell."""
    numbers = (row.value, row.low, row.high) if target.predicts_values else (row.probability,)
    return (
        *map(_number, (*numbers, row.deviation, row.similarity)),
        "true" if row.in_support else "",
        "true" if row.seen else "",
        row.status,
        row.reason,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
