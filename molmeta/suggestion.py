"""What to measure next: a batch from a library that is likely active, informative and diverse.

    suggest(target, rows, batch=24) -> Suggestions, best first, each with its reason

The library is streamed; the best candidates are held in a pool of bounded size, and the batch is
picked from it one compound at a time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import torch
from torch import Tensor

from molmeta.assays.tables import Row
from molmeta.assays.task import MeasuredMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.chem.status import Status
from molmeta.errors import ConfigError
from molmeta.learners.parts import Joint
from molmeta.scores import DOMAIN_SIMILARITY, ScoredRow
from molmeta.target import TargetModel

BATCH: Final = 24
"""Compounds of a batch, where none is asked for: a quarter of a 96-well plate."""

POOL: Final = 1_000
"""Candidates held, beyond which the batch does not look."""

OPTIMISM: Final = 0.3
"""Standard deviations that count in favour of a compound. Three rounds of eight bring hits of more
kinds than the scores alone (4.9 for 4.4 on novel chemistry, 15.1 for 14.5 on FS-Mol meta-valid) and
hardly fewer of them (17.7 for 17.8, 20.6 for 20.7); see benchmarks/suggestion.py."""

MAX_SIMILARITY: Final = 0.9
"""Tanimoto similarity to an earlier pick above which a compound waits. With .7, on novel chemistry,
whose assays are series, the first round would have one hit in seven fewer."""

CHUNK: Final = 2_000
"""Rows held at a time."""

NUMERIC: Final = (
    "pick",
    "probability",
    "value",
    "low",
    "high",
    "similarity",
    "similarity_to_picks",
)
"""The appended columns that hold numbers or nothing."""


def appended_columns(values: bool) -> tuple[str, ...]:
    """What a table of picks has after the library's own columns.

    Args:
        values: whether values are predicted.
    """
    answer = "value" if values else "probability"
    return (
        "pick",
        answer,
        "low",
        "high",
        "similarity",
        "similarity_to_picks",
        "known",
        "status",
        "why",
    )


@dataclass(frozen=True, slots=True)
class Pick:
    """One compound of the batch."""

    number: int
    """Its place in the batch, from 1."""
    row: Row
    """Of the library, its cells unchanged."""
    scored: ScoredRow
    similarity_to_picks: float | None
    """Tanimoto similarity to the nearest earlier pick, 0 to 1; None for the first."""
    why: str
    """The reason for the pick, in words."""

    def cells(self, values: bool) -> tuple[str, ...]:
        """The cells of `appended_columns`; what is not known is an empty cell."""
        one = self.scored
        answer = one.value if values else one.probability
        numbers = (answer, one.low, one.high, one.similarity, self.similarity_to_picks)
        cells = ("" if number is None else f"{number:.6g}" for number in numbers)
        return (str(self.number), *cells, "true" if one.seen else "", one.status, self.why)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The batch, and what became of the library."""

    picks: tuple[Pick, ...]
    """In the order in which they were picked; fewer than asked for where the library has no more
    that can be scored and are not in the support."""
    n_rows: int
    n_pool: int
    """Candidates that the batch was picked from."""
    by_status: Counter[Status] = field(default_factory=Counter)
    """Of all rows."""


@dataclass(frozen=True, slots=True, order=True)
class _Candidate:
    """A row that may be picked; the smallest leaves the pool first, the later one of two equals."""

    merit: float
    minus_number: int
    row: Row = field(compare=False)
    scored: ScoredRow = field(compare=False)


def suggest(
    target: TargetModel,
    rows: Iterable[Row],
    *,
    batch: int = BATCH,
    max_similarity: float = MAX_SIMILARITY,
    pool: int = POOL,
    progress: Callable[[int], object] | None = None,
) -> Suggestions:
    """The batch to measure next.

    The best prospects first, each in the light of those before it (see `picked_places`). Compounds
    of the support are left out, and so is every row without a score; of equal molecules the first
    row stands for all.

    Args:
        target: the adapted model.
        rows: a Table, or rows made by hand.
        batch: how many compounds.
        max_similarity: to an earlier pick; a compound above it is taken only when the pool has
            nothing else left. 1 switches the cap off.
        pool: how many candidates are held, at least `batch`.
        progress: called with the number of rows done since the last call.

    Raises:
        ConfigError: a number that cannot be.
        InputError: the table turns out to be damaged.
    """
    if batch < 1:
        raise ConfigError(f"A batch has at least 1 compound, not {batch}.")
    if not 0 < max_similarity <= 1:
        raise ConfigError(f"max_similarity is above 0 and at most 1, not {max_similarity}.")
    best = _Pool(max(batch, pool))
    by_status = Counter[Status]()
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        for row, scored in zip(chunk, target.score_rows(chunk), strict=True):
            by_status[scored.status] += 1
            best.offer(row, scored)
        if progress is not None:
            progress(len(chunk))
    candidates = best.in_order()
    picks = _picked(target, candidates, batch, max_similarity)
    return Suggestions(picks, by_status.total(), len(candidates), by_status)


class _Pool:
    """The best candidates so far, each molecule once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[_Candidate] = []
        self._held: set[str] = set()

    def offer(self, row: Row, scored: ScoredRow) -> None:
        """Take the row in, if it is among the best."""
        merit, smiles = scored.merit, scored.smiles
        if merit is None or smiles is None or scored.in_support or smiles in self._held:
            return
        if len(self._heap) == self._size and merit <= self._heap[0].merit:
            return
        self._held.add(smiles)
        candidate = _Candidate(merit, -row.number, row, scored)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, candidate)
        else:
            gone = heapq.heappushpop(self._heap, candidate)
            self._held.remove(str(gone.scored.smiles))

    def in_order(self) -> list[_Candidate]:
        """The best first."""
        return sorted(self._heap, reverse=True)


def picked_places(
    belief: Joint,
    similarity: Callable[[int], Tensor],
    batch: int,
    *,
    optimism: float = OPTIMISM,
    max_similarity: float = MAX_SIMILARITY,
) -> list[tuple[int, float]]:
    """Candidates in the order of picking, each with its similarity to the nearest earlier pick.

    The greatest mean + optimism · deviation first, the deviation as it will be once the earlier
    picks are measured: a Gaussian process knows it before it knows their labels (GP-BUCB, Desautels
    et al. 2014, JMLR 15, 4053, eq. 8).

    Args:
        belief: about n candidates.
        similarity: of a candidate to all, [n].
        batch: how many to pick; all where there are fewer.
        optimism: 0 for the greatest mean alone.
        max_similarity: to an earlier pick, above which a candidate waits until no other is left.
    """
    mean, covariance = belief.mean, belief.covariance
    nearest = torch.zeros(len(mean), device=mean.device)
    waiting = torch.ones(len(mean), dtype=torch.bool, device=mean.device)
    picks = []
    for _ in range(min(batch, len(mean))):
        free = waiting & (nearest <= max_similarity)
        choice = free if bool(free.any()) else waiting
        hoped = mean + optimism * covariance.diagonal().clamp(min=0).sqrt()
        place = int(torch.where(choice, hoped, -torch.inf).argmax())
        picks.append((place, float(nearest[place])))
        waiting[place] = False
        nearest = torch.maximum(nearest, similarity(place))
        column = covariance[place]
        covariance = covariance - torch.outer(column, column) / (column[place] + belief.noise)
    return picks


def _picked(
    target: TargetModel, candidates: Sequence[_Candidate], batch: int, max_similarity: float
) -> tuple[Pick, ...]:
    if not candidates:
        return ()
    read = [read_smiles(one.scored.smiles) for one in candidates]
    molecules = featurize([molecule for molecule in read if isinstance(molecule, Molecule)])
    molecules = molecules.to(target.support.molecules.device)
    places = picked_places(
        _belief(target, candidates, molecules),
        lambda place: tanimoto(_gathered(molecules, [place]), molecules)[0],
        batch,
        max_similarity=max_similarity,
    )
    nearest = _nearest_support(target, _gathered(molecules, [place for place, _ in places]))
    return tuple(
        Pick(
            number=number,
            row=candidates[place].row,
            scored=candidates[place].scored,
            similarity_to_picks=None if number == 1 else similarity,
            why=_why(candidates[place].scored, place, near, target),
        )
        for number, ((place, similarity), near) in enumerate(
            zip(places, nearest, strict=True), start=1
        )
    )


def _belief(
    target: TargetModel, candidates: Sequence[_Candidate], molecules: MoleculeBatch
) -> Joint:
    """What the model believes of all candidates; of a method without doubt the scores alone."""
    belief = target.joint(molecules)
    if belief is not None:
        return belief
    merits = torch.tensor([one.merit for one in candidates], dtype=torch.float64)
    nothing = torch.zeros(len(merits), len(merits), dtype=torch.float64)
    return Joint(merits, nothing, torch.ones((), dtype=torch.float64))


def _gathered(molecules: MoleculeBatch, places: list[int]) -> MoleculeBatch:
    return molecules.gather(torch.tensor(places, device=molecules.device))


def _nearest_support(target: TargetModel, molecules: MoleculeBatch) -> list[str]:
    """The support compound nearest to each molecule, with what was measured of it: [n]."""
    support = target.support
    places = tanimoto(support.molecules, molecules).argmax(0).tolist()
    smiles = target.checkpoint.support_smiles
    if isinstance(support, MeasuredMolecules):
        marks, values = support.relations.tolist(), support.values.tolist()
        return [
            f"{smiles[p]} ({('', 'above ', 'below ')[marks[p]]}{values[p]:.2f})" for p in places
        ]
    labels = support.labels.tolist()
    return [f"{smiles[p]} ({'active' if labels[p] else 'inactive'})" for p in places]


def _why(scored: ScoredRow, place: int, near: str, target: TargetModel) -> str:
    """The reason for a pick in words.

    Args:
        scored: what the model says of it.
        place: among all candidates by score, from 0.
        near: its nearest support compound.
        target: what the scores are of.
    """
    if scored.probability is not None:
        share = target.n_active / len(target.support)
        answer = f"active with probability {scored.probability:.2f} ({share:.2f} of your own are)"
    elif scored.value is not None:
        answer = f"{scored.value:.2f} expected ({scored.low:.2f} to {scored.high:.2f})"
    else:
        answer = "like your actives"
    assert scored.similarity is not None
    likeness = "most like" if scored.similarity >= DOMAIN_SIMILARITY else "new chemistry, a guess:"
    return (
        f"rank {place + 1:,} by score: {answer}; {likeness} your {near}, "
        f"similarity {scored.similarity:.2f}"
    )
