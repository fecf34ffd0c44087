"""`suggest`: the batch of a library to measure next.

    suggest(target, rows, batch=24) -> Suggestions, best first, each with its reason

The library is streamed; the best candidates are held in a pool of bounded size, and the batch is
picked from it one compound at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import torch

from molmeta.assays.tables import Row
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.chem.status import Status
from molmeta.errors import ConfigError
from molmeta.learners.parts import Joint
from molmeta.suggestion.candidates import POOL, Candidate, Pool
from molmeta.suggestion.picking import MAX_SIMILARITY, picked_places
from molmeta.suggestion.picks import Pick, nearest_support, why_picked
from molmeta.target import TargetModel

BATCH: Final = 24
"""Compounds of a batch, where none is asked for: a quarter of a 96-well plate."""

CHUNK: Final = 2_000
"""Rows held at a time."""


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
    best = Pool(max(batch, pool))
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


def _picked(
    target: TargetModel, candidates: Sequence[Candidate], batch: int, max_similarity: float
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
    nearest = nearest_support(target, _gathered(molecules, [place for place, _ in places]))
    return tuple(
        Pick(
            number=number,
            row=candidates[place].row,
            scored=candidates[place].scored,
            similarity_to_picks=None if number == 1 else similarity,
            why=why_picked(candidates[place].scored, place, near, target),
        )
        for number, ((place, similarity), near) in enumerate(
            zip(places, nearest, strict=True), start=1
        )
    )


def _belief(
    target: TargetModel, candidates: Sequence[Candidate], molecules: MoleculeBatch
) -> Joint:
    """What the model believes of all candidates; of a method without doubt the scores alone."""
    belief = target.joint(molecules)
    if belief is not None:
        return belief
    kind: dict[str, Any] = {"dtype": torch.float64, "device": molecules.device}
    n = len(candidates)
    merits = torch.tensor([one.merit for one in candidates], **kind)
    return Joint(merits, torch.zeros(n, n, **kind), torch.ones((), **kind))


def _gathered(molecules: MoleculeBatch, places: list[int]) -> MoleculeBatch:
    return molecules.gather(torch.tensor(places, device=molecules.device))
