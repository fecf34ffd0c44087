"""The best candidates of a stream of scored rows, in a pool of bounded size."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final

from molmeta.assays.tables import Row
from molmeta.scores import ScoredRow

POOL: Final = 1_000
"""Candidates held, beyond which the batch does not look."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A row that may be picked; the smallest leaves the pool first, the later one of two equals."""

    merit: float
    minus_number: int
    row: Row = field(compare=False)
    scored: ScoredRow = field(compare=False)


class Pool:
    """The best candidates so far, each molecule once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[Candidate] = []
        self._held: set[str] = set()

    def offer(self, row: Row, scored: ScoredRow) -> None:
        """Take the row in, if it is among the best."""
        merit = scored.merit
        if merit is None or scored.in_support:
            return
        if len(self._heap) == self._size and merit <= self._heap[0].merit:
            return
        smiles = str(scored.smiles)
        if smiles in self._held:
            return
        self._held.add(smiles)
        candidate = Candidate(merit, -row.number, row, scored)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, candidate)
        else:
            gone = heapq.heappushpop(self._heap, candidate)
            self._held.remove(str(gone.scored.smiles))

    def in_order(self) -> list[Candidate]:
        """The best first."""
        return sorted(self._heap, reverse=True)
