"""A table of any size through a TargetModel: each row in, the same row out with its score.

Rows are taken in chunks, so that the memory does not grow with the table. With `top` only the best
rows are kept, in a heap of that size.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from molmeta.assays.tables import Row
from molmeta.chem.status import Status
from molmeta.scores import ScoredRow, in_place
from molmeta.screening.columns import appended_cells
from molmeta.target import TargetModel

CHUNK: Final = 2_000
"""Rows held at a time; repeated molecules within a chunk are computed once."""

ScoreChunks = Callable[[Iterable[Sequence[str]]], Iterator[list[ScoredRow]]]
"""Chunks of texts to their rows, chunk by chunk and in order; may read some chunks ahead."""


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
    """Rows without a score, those that were withheld on request aside."""
    n_in_support: int = 0
    n_seen: int = 0
    """Rows whose molecule meta-training used."""
    by_status: Counter[Status] = field(default_factory=Counter)

    def add(self, row: ScoredRow) -> None:
        """Count one row."""
        self.n_rows += 1
        self.n_failed += not row.is_usable and row.status is not Status.ABSTAINED
        self.n_in_support += row.in_support
        self.n_seen += row.seen
        self.by_status[row.status] += 1


def screen(
    target: TargetModel,
    rows: Iterable[Row],
    output: RowOutput,
    *,
    top: int | None = None,
    abstain: bool = False,
    chunk_size: int = CHUNK,
    score_chunks: ScoreChunks | None = None,
    progress: Callable[[int], object] | None = None,
) -> ScreenSummary:
    """Score `rows` and write them, their cells unchanged, followed by the appended columns.

    Args:
        target: the adapted model.
        rows: a Table, or rows made by hand.
        output: one row goes out for each that comes in, in order.
        top: write only this many, the best first and equal ones in the order of the input; rows
            without a score are left out.
        abstain: withhold answers that should not be trusted, see `ScoredRow.or_abstained`.
        chunk_size: rows held at a time.
        score_chunks: who computes: worker processes, a journal; `target` in this process if None.
        progress: called with the number of rows done since the last call.

    Raises:
        InputError: the table turns out to be damaged.
        OutputError: a row cannot be written.
    """
    summary = ScreenSummary()
    best: list[_Ranked] = []
    values = target.predicts_values
    for chunk, chunk_scores in _scored(rows, chunk_size, score_chunks or in_process(target)):
        for row, answered in zip(chunk, chunk_scores, strict=True):
            scored = answered.or_abstained() if abstain else answered
            summary.add(scored)
            if top is None:
                output.write((*row.cells, *appended_cells(scored, values=values)))
            elif scored.merit is not None:
                ranked = _Ranked(scored.merit, -summary.n_rows, row.cells, scored)
                if len(best) < top:
                    heapq.heappush(best, ranked)
                else:
                    heapq.heappushpop(best, ranked)
        if progress is not None:
            progress(len(chunk))
    for rank, one in enumerate(sorted(best, reverse=True), start=1):
        output.write((*one.cells, str(rank), *appended_cells(one.scored, values=values)))
    return summary


def in_process(target: TargetModel) -> ScoreChunks:
    """`target` itself, one chunk after the other."""
    return lambda chunks: map(target.score, chunks)


@dataclass(frozen=True, slots=True, order=True)
class _Ranked:
    """A row that may be among the best; the smallest goes first, the later one of two equals."""

    merit: float
    minus_place: int
    cells: tuple[str, ...] = field(compare=False)
    scored: ScoredRow = field(compare=False)


def _scored(
    rows: Iterable[Row], size: int, score_chunks: ScoreChunks
) -> Iterator[tuple[list[Row], list[ScoredRow]]]:
    """Each chunk with one ScoredRow a row; rows that the file itself damaged are not looked at."""
    read: deque[list[Row]] = deque()

    def texts() -> Iterator[list[str]]:
        for chunk in _chunks(rows, size):
            read.append(chunk)
            yield [row.smiles for row in chunk if row.problem is None]

    for scored in score_chunks(texts()):
        chunk = read.popleft()
        yield chunk, in_place(chunk, scored)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, size)):
        yield chunk
