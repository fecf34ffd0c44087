"""An index through a TargetModel: the best rows, in one pass over its arrays."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from molmeta.chem.status import Status
from molmeta.errors import ConfigError, InputError
from molmeta.index.manifest import (
    BUILDING,
    INDEX,
    Manifest,
    part_path,
    read_manifest,
    weights_sha256,
)
from molmeta.index.part import Part, read_part, read_records
from molmeta.index.records import Record, Records
from molmeta.learners.base import Embedded, HeadLearner, Learner
from molmeta.learners.overlap import Overlap
from molmeta.learners.weighted_tanimoto import structural_kernel
from molmeta.scores import ScoredRow, Scores, after_intake, joined
from molmeta.screening import RowOutput, ScreenSummary
from molmeta.screening.columns import appended_cells
from molmeta.target import TargetModel

TOP: Final = 1_000
"""Rows that are asked for where nobody says how many."""

CELLS: Final = 1 << 18
"""Of the kernel between support and molecules at a time, which bounds the memory; with fewer, what
each call costs by itself begins to count."""


class LibraryIndex:
    """A finished index, of which nothing is in memory but its manifest."""

    def __init__(self, folder: Path) -> None:
        """Open the index in `folder`.

        Raises:
            InputError: there is none, or it is not finished, damaged or of another version.
        """
        if (folder / BUILDING).exists() and not (folder / INDEX).exists():
            raise InputError(
                f"{folder} is not finished: give the molmeta index command that makes it again."
            )
        if not (folder / INDEX).is_file():
            raise InputError(f"{folder} is no index; make one with molmeta index.")
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder / INDEX)
        for number, entry in enumerate(self.manifest.parts):
            path = part_path(folder, number)
            if not path.is_file() or path.stat().st_size != entry.n_bytes:
                raise InputError(f"{path} is missing or cut short; build the index again.")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the library."""
        return self.manifest.columns

    def part(self, number: int) -> Part:
        """The part `number`, from 0, mapped into memory."""
        entry = self.manifest.parts[number]
        path = part_path(self.folder, number)
        return read_part(path, entry.n_molecules, entry.n_rows, self.manifest.dim)

    def records(self, places: Sequence[int]) -> list[Record]:
        """The rows at `places` of the library, from 0."""
        starts = self.manifest.starts
        opened: dict[int, Records] = {}
        records = []
        for place in places:
            number = bisect_right(starts, place) - 1
            if number not in opened:
                path, entry = part_path(self.folder, number), self.manifest.parts[number]
                opened[number] = read_records(path, entry.n_rows)
            records.append(opened[number].at(place - starts[number], len(self.columns)))
        return records


def rank(
    target: TargetModel,
    index: LibraryIndex,
    output: RowOutput,
    *,
    top: int,
    threads: int = 1,
    progress: Callable[[int], object] | None = None,
) -> ScreenSummary:
    """Write the best rows as `screen` with `top` writes them from the library itself.

    Embeddings in half precision move a logit by 2e-4 at most (see benchmarks/NOTES.md).

    Args:
        target: the adapted model, on the CPU.
        index: made with the encoder of that model.
        output: `top` rows go out, the best first and equal ones in the order of the library.
        top: at most so many rows.
        threads: parts ranked at a time; each keeps a core busy if torch has one thread.
        progress: called with the number of rows done since the last call.

    Raises:
        ConfigError: the method cannot use an index.
        InputError: the index is of another encoder, or damaged.
        OutputError: a row cannot be written.
    """
    learner = require_head_learner(target.checkpoint.learner)
    kernel = structural_kernel(learner)
    if weights_sha256(learner.encoder) != index.manifest.encoder_sha256 or (
        kernel is not None and weights_sha256(kernel) != index.manifest.kernel_sha256
    ):
        raise InputError(
            f"{index.folder} was made with the encoder of another model: use that model, or make "
            "an index with this one (molmeta index --model)."
        )
    manifest = index.manifest
    summary = ScreenSummary(
        n_rows=manifest.n_rows,
        n_failed=manifest.n_rows - manifest.n_molecules,
        by_status=manifest.by_status,
    )
    best = _Best(top)

    def rank_part(number: int) -> list[_Chunk]:
        part, start = index.part(number), manifest.starts[number]
        return list(_chunks(part, start, target, learner, best))

    with ThreadPoolExecutor(threads) as pool:
        try:
            ranked = pool.map(rank_part, range(len(manifest.parts)))
            for entry, chunks in zip(manifest.parts, ranked, strict=True):
                for chunk in chunks:
                    best.add(chunk.places, chunk.hopeful)
                    summary.n_failed += chunk.n_failed
                    summary.n_in_support += chunk.n_in_support
                    summary.n_seen += chunk.n_seen
                    summary.by_status.update(chunk.moved)
                if progress is not None:
                    progress(entry.n_rows)
        finally:
            pool.shutdown(cancel_futures=True)
    summary.by_status = +summary.by_status
    records = index.records(best.places)
    for number, (record, row) in enumerate(zip(records, best.rows, strict=True), start=1):
        answer = after_intake(row, record.status, record.reason)
        cells = appended_cells(answer, values=target.predicts_values)
        output.write((*record.cells, str(number), *cells))
    return summary


def require_head_learner(learner: Learner) -> HeadLearner:
    """The learner, which can use an index.

    Raises:
        ConfigError: it cannot.
    """
    if isinstance(learner, HeadLearner):
        return learner
    why = (
        "changes the encoder for every target, so that no embedding lasts"
        if hasattr(learner, "encoder")
        else "does not judge by embeddings"
    )
    raise ConfigError(
        f"A {type(learner).__name__} cannot use an index, because it {why}: score the library "
        "itself, with --input."
    )


class _Best:
    """The best rows so far."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._found: list[tuple[Tensor, Scores]] = []
        self._n_waiting = 0
        self.threshold = -math.inf
        """Merit that a row must exceed to be among them, or less than that."""

    @property
    def places(self) -> list[int]:
        """Of the library, best first."""
        self._sort()
        return [place for places, _ in self._found for place in places.tolist()]

    @property
    def rows(self) -> list[ScoredRow]:
        """What the target says of them."""
        self._sort()
        return [row for places, scores in self._found for row in scores.rows([None] * len(places))]

    def add(self, places: Tensor, scores: Scores) -> None:
        """Rows at `places` [n], ascending and behind all that were added before."""
        if not len(places):
            return
        self._found.append((places, scores))
        self._n_waiting += len(places)
        # Sorting for a few rows of every part would keep the other threads waiting.
        if self._n_waiting >= self._top:
            self._sort()

    def _sort(self) -> None:
        if not self._n_waiting:
            return
        places = torch.cat([places for places, _ in self._found])
        scores = joined([scores for _, scores in self._found])
        # Stable, so that of equal ones the earlier stays in front.
        order = scores.merit.argsort(descending=True, stable=True)[: self._top]
        self._found, self._n_waiting = [(places[order], scores.at(order))], 0
        if len(order) == self._top:
            self.threshold = float(self._found[0][1].merit[-1])


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What some molecules of a part add to the answer."""

    places: Tensor
    """[k], int64, of the library, ascending: those that may be among the best."""
    hopeful: Scores
    """Theirs."""
    n_failed: int
    n_in_support: int
    n_seen: int
    moved: Counter[Status]
    """How many more rows have each status after the model than before."""


def _chunks(
    part: Part,
    first: int,
    target: TargetModel,
    learner: HeadLearner,
    best: _Best,
) -> Iterator[_Chunk]:
    """The molecules of a part whose first row is `first` of the library."""
    overlap = Overlap(target.support_counts, part.counts)
    step = max(1, CELLS // len(target.support))
    for start in range(0, len(part), step):
        end = min(start + step, len(part))
        given = overlap.similarities(start, end)
        vectors = _as_seen(part.vectors[start:end], learner)
        scores = target.score_embedded(Embedded(vectors, part.molecules(start, end), given=given))
        failed, changed = ~scores.is_finite, part.changed[start:end]
        far = scores.is_far & ~failed
        flags = (failed, failed & changed, far, far & changed, scores.in_support, scores.seen)
        n_failed, failed_changed, n_far, far_changed, n_in_support, n_seen = (
            torch.stack(flags).sum(1).tolist()
        )
        n_changed = failed_changed + far_changed
        hopeful = ((scores.merit > best.threshold) & ~failed).nonzero()[:, 0]
        yield _Chunk(
            places=first + part.places[start:end][hopeful].long(),
            hopeful=scores.at(hopeful),
            n_failed=n_failed,
            n_in_support=n_in_support,
            n_seen=n_seen,
            moved=Counter(
                {
                    Status.MODEL_ERROR: n_failed,
                    Status.WARN_DOMAIN: n_far,
                    Status.OK_CHANGED: -n_changed,
                    Status.OK: n_changed - n_failed - n_far,
                }
            ),
        )


def _as_seen(vectors: Tensor, learner: HeadLearner) -> Tensor:
    """Unit vectors [n, dim] in half precision as the learner's heads take them."""
    if learner.only_products and learner.length == 1.0:
        return vectors
    floats = vectors.float()
    return floats if learner.length == 1.0 else floats.mul_(learner.length)
