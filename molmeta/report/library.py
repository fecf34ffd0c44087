"""The library of a report: every row scored and counted, those that the page shows kept."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from molmeta.assays.tables import Row
from molmeta.scores import ScoredRow
from molmeta.screening.columns import appended_cells
from molmeta.screening.library import CHUNK, RowOutput, ScreenSummary
from molmeta.target import TargetModel

TOP: Final = 200
"""Rows that a page ranks, where no other number is asked for."""

MAX_LISTED: Final = 200
"""Rows without a score that a page lists; all are counted."""

_DOMAIN: Final = "domain:"


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """One row, and what the model says of it."""

    row: Row
    scored: ScoredRow


@dataclass(frozen=True, slots=True)
class Library:
    """What became of a library."""

    columns: tuple[str, ...]
    smiles_column: str
    best: tuple[LibraryRow, ...]
    """The rows with the greatest scores, best first, equal ones in the order of the input."""
    unreadable: tuple[LibraryRow, ...]
    """The first MAX_LISTED rows without a score, in the order of the input."""
    changes: Mapping[str, int]
    """What was done to structures or is remarkable about them -> rows, the most frequent first."""
    summary: ScreenSummary

    @property
    def repeats(self) -> Mapping[str, list[int]]:
        """Numbers of the `best` rows by molecule (SMILES), for molecules that have several."""
        rows = defaultdict(list)
        for one in self.best:
            rows[str(one.scored.smiles)].append(one.row.number)
        return {smiles: sorted(numbers) for smiles, numbers in rows.items() if len(numbers) > 1}


def read_library(
    target: TargetModel,
    rows: Iterable[Row],
    *,
    columns: Sequence[str],
    smiles_column: str,
    top: int = TOP,
    outputs: Sequence[RowOutput] = (),
    progress: Callable[[int], object] | None = None,
) -> Library:
    """Score the rows once, in chunks, for a page and for tables beside it.

    Args:
        target: the adapted model.
        rows: a Table, or rows made by hand.
        columns: of the rows.
        smiles_column: the one that holds the molecules.
        top: rows of the page.
        outputs: tables that get every row, its cells unchanged and followed by those of
            `molmeta.screening.appended_columns`.
        progress: called with the number of rows done since the last call.

    Raises:
        InputError: the table turns out to be damaged.
        OutputError: a row cannot be written.
    """
    summary = ScreenSummary()
    best: list[_Ranked] = []
    unreadable: list[LibraryRow] = []
    changes: Counter[str] = Counter()
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        for row, scored in zip(chunk, target.score_rows(chunk), strict=True):
            summary.add(scored)
            cells = appended_cells(scored, values=target.predicts_values)
            for output in outputs:
                output.write((*row.cells, *cells))
            if scored.merit is not None:
                changes.update(changes_of(scored))
                ranked = (scored.merit, -summary.n_rows, LibraryRow(row, scored))
                push = heapq.heappush if len(best) < top else heapq.heappushpop
                push(best, ranked)
            elif len(unreadable) < MAX_LISTED:
                unreadable.append(LibraryRow(row, scored))
        if progress is not None:
            progress(len(chunk))
    return Library(
        columns=tuple(columns),
        smiles_column=smiles_column,
        best=tuple(one for _, _, one in sorted(best, reverse=True)),
        unreadable=tuple(unreadable),
        changes=dict(changes.most_common()),
        summary=summary,
    )


_Ranked = tuple[float, int, LibraryRow]
"""Merit, minus the place in the input, which no other row has, and the row."""


def changes_of(scored: ScoredRow) -> list[str]:
    """What was done to the structure of a scored row, or is remarkable about it."""
    return [part for part in scored.reason.split("; ") if part and not part.startswith(_DOMAIN)]
