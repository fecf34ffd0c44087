"""One ranking: a learner adapted, a library scored in chunks, the model checked; with progress."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import Final, Literal

from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.support import SupportSet
from molmeta.checkpoint import Checkpoint
from molmeta.chem.status import Status
from molmeta.errors import MolmetaError, SupportError
from molmeta.report.held_out import hold_out
from molmeta.report.verdict import NO_VERDICT, Believed, believed
from molmeta.scores import ScoredRow
from molmeta.screening.columns import appended_cells, appended_columns
from molmeta.server.reading import without_flags
from molmeta.server.uploads import Library
from molmeta.target import TargetModel, adapt_target

CHUNK: Final = 200
"""Rows between two looks at whether the run is still wanted: well under a second."""

AT_ONCE: Final = 2
"""Runs that compute; others wait. With one, a check, which cannot be stopped, would block."""

Show = Literal["scored", "near", "new", "failed", "all"]
"""Rows with a score; of these the ones like a support compound, or those whose activity nobody
gave the model; rows without a score."""

Order = Literal["rank", "row", "similarity"]


class State(StrEnum):
    """How far a run has come; from CHECKING on the ranking is there."""

    WAITING = "waiting"
    ADAPTING = "adapting"
    SCORING = "scoring"
    CHECKING = "checking"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class View:
    """Which rows to see, and in which order."""

    show: Show = "scored"
    order: Order = "rank"
    contains: str = ""
    """In any cell of the row, capital or small."""


class Run:
    """A support set and a library on the way to a ranking."""

    def __init__(self, support: SupportSet | MeasuredSupport, library: Library) -> None:
        self.library = library
        self.state = State.WAITING
        self.problem = ""
        """Why it failed."""
        self.target: TargetModel | None = None
        """From SCORING on."""
        self.believed: Believed | None = None
        """The verdict, when DONE."""
        self.scored: list[ScoredRow] = []
        """Of the rows of the library as far as they are done."""
        self.ranks: list[int | None] = []
        """[n_rows], from 1; None where there is no score; empty until all rows are scored."""
        self._support = support
        self._stopped = Event()

    def stop(self) -> None:
        """Stop at the next chosen moment; what is computed by then is of no use to anybody."""
        self._stopped.set()

    def work(self, checkpoint: Checkpoint, *, memory: bool) -> None:
        """All of it, in a thread of its own; what goes wrong ends in `problem`."""
        try:
            for state in self._steps(checkpoint, memory):
                if self._stopped.is_set():
                    return
                self.state = state
        except MolmetaError as error:
            self._fail(without_flags(str(error)))
        except Exception:
            logging.getLogger(__name__).exception("a ranking failed")
            self._fail("molmeta itself failed; the window that it was started from says more.")

    def _steps(self, checkpoint: Checkpoint, memory: bool) -> Iterator[State]:
        yield State.ADAPTING
        target = adapt_target(checkpoint, self._support)
        self.target = target if memory else target.without_memory()
        yield State.SCORING
        rows = self.library.rows
        for start in range(0, len(rows), CHUNK):
            self.scored += self.target.score_rows(rows[start : start + CHUNK])
            yield State.SCORING
        self.ranks = _ranks(self.scored)
        yield State.CHECKING
        self.believed = _believed(self.target)
        yield State.DONE

    def _fail(self, problem: str) -> None:
        self.problem, self.state = problem, State.FAILED

    @property
    def is_ranked(self) -> bool:
        """Whether there are ranks."""
        return bool(self.ranks)

    def places(self, view: View) -> list[int]:
        """The places of the rows to see, from 0."""
        wanted = view.contains.strip().lower()
        places = [
            place
            for place, (scored, row) in enumerate(zip(self.scored, self.library.rows, strict=True))
            if _is_shown(scored, view.show)
            and (not wanted or any(wanted in cell.lower() for cell in row.cells))
        ]
        if view.order == "rank":
            places.sort(key=lambda place: self.ranks[place] or len(self.ranks) + 1)
        elif view.order == "similarity":
            places.sort(key=lambda place: -(self.scored[place].similarity or 0.0))
        return places

    @property
    def header(self) -> tuple[str, ...]:
        """Of the table to download."""
        values = self.target is not None and self.target.predicts_values
        names = appended_columns(self.library.columns, ranked=True, values=values)
        return (*self.library.columns, *names.values())

    def cells(self, place: int) -> tuple[str, ...]:
        """A row of that table: the user's own cells unchanged, the rank, and what was found."""
        values = self.target is not None and self.target.predicts_values
        rank = self.ranks[place]
        return (
            *self.library.rows[place].cells,
            "" if rank is None else str(rank),
            *appended_cells(self.scored[place], values=values),
        )


class Workers:
    """The threads in which runs compute."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ranking")

    def start(self, run: Run, *, memory: bool) -> None:
        """Begin when a thread is free."""
        self._pool.submit(run.work, self.checkpoint, memory=memory)

    def close(self) -> None:
        """Take no more runs, and forget those that wait."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _ranks(scored: Sequence[ScoredRow]) -> list[int | None]:
    """Rank of each row, the greatest merit first and equal ones in order; None without one."""
    merits = [row.merit for row in scored]
    usable = [place for place, merit in enumerate(merits) if merit is not None]
    ranks: list[int | None] = [None] * len(scored)
    for rank, place in enumerate(sorted(usable, key=lambda p: -(merits[p] or 0.0)), start=1):
        ranks[place] = rank
    return ranks


def _is_shown(row: ScoredRow, show: Show) -> bool:
    if show == "near":
        return row.is_usable and row.status is not Status.WARN_DOMAIN
    if show == "new":
        return row.is_usable and not row.in_support and not row.seen
    return show == "all" or row.is_usable == (show == "scored")


def _believed(target: TargetModel) -> Believed:
    """The verdict; for values how far off they were when held out, for which there is none."""
    held_out = None
    if target.predicts_values:
        try:
            held_out = hold_out(target)
        except SupportError as error:
            return Believed(NO_VERDICT, f"The model could not be tried on your values: {error}.")
    return believed(target, held_out, seed=0)
