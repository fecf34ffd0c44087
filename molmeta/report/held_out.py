"""The support's own compounds, each judged by models that were not shown it, of growing supports.

The compounds are dealt into parts a few times over. Each part is judged by models that learned from
all other compounds, from half of them, from a quarter: the same compounds at every size, so that
the sizes can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from molmeta.assays.task import MeasuredMolecules
from molmeta.errors import SupportError
from molmeta.evaluation.metrics import Array
from molmeta.scores import ScoredRow
from molmeta.target import TargetModel

PARTS: Final = 4
"""Held out in turn; fewer where a class is smaller, so that each part holds out both."""

DEALS: Final = 3
"""Times that the compounds are dealt out anew."""

SMALLEST: Final = 8
"""Compounds that a model of this kind is asked to learn from, at least."""

MOST: Final = 512
"""Compounds of a support that are held out in turn: for more, the models would take minutes, and a
test set can be put aside."""

_MOST_SIZES: Final = 4


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What models said of support compounds that they were not shown."""

    predicts_values: bool
    labels: Array
    """[n]; 1 is active and 0 inactive, or values."""
    relations: NDArray[np.int8]
    """[n]; 0 measured, 1 the truth is higher than the value, -1 it is lower; 0 for classes."""
    parts: NDArray[np.int64]
    """[DEALS, n]: the part that each was held out with; those of one part had the same model."""
    answers: Mapping[int, tuple[tuple[ScoredRow, ...], ...]]
    """Compounds learned from, ascending -> what was said, [DEALS][n]."""
    guesses: Mapping[int, Array]
    """The same sizes -> the mean label of the compounds learned from, [DEALS, n]."""

    @property
    def largest(self) -> int:
        """Compounds learned from where all others were."""
        return max(self.answers)

    def merits(self, size: int) -> Array:
        """What ranks the compounds, by models of `size` others: [DEALS, n]."""
        return np.array([[row.merit for row in deal] for deal in self.answers[size]], dtype=float)


def hold_out(target: TargetModel, *, seed: int = 0) -> HeldOut:
    """Hold the target's support compounds out in turn.

    Args:
        target: adapted to classes or values; it is not changed.
        seed: of the deals.

    Raises:
        SupportError: there are too few compounds, or of a class too few, or too many.
    """
    support = target.support
    if isinstance(support, MeasuredMolecules):
        labels = support.values.double().cpu().numpy()
        relations = support.relations.cpu().numpy()
        groups = np.zeros_like(labels)
    else:
        labels = support.labels.double().cpu().numpy()
        relations = np.zeros(len(labels), dtype=np.int8)
        groups = labels
    smaller = int(np.unique(groups, return_counts=True)[1].min())
    if reason := _why_not(target, smaller):
        raise SupportError(reason)
    generator = np.random.default_rng(seed)
    n_parts = min(PARTS, smaller)
    parts = np.stack([_dealt(labels, n_parts, generator) for _ in range(DEALS)])
    sizes = _sizes(len(labels) - -(-len(labels) // n_parts), smaller / len(labels))
    answers, guesses = {}, {size: np.empty(parts.shape) for size in sizes}
    orders = [generator.permutation(len(labels)) for _ in range(DEALS)]
    for size in sizes:
        deals = []
        for deal, order, guess in zip(parts, orders, guesses[size], strict=True):
            rows: dict[int, ScoredRow] = {}
            for part in range(n_parts):
                others = order[deal[order] != part]
                known = others[_evenly(groups[others])[:size]]
                asked = np.flatnonzero(deal == part)
                guess[asked] = labels[known].mean()
                rows |= _judged(target, known, asked)
            deals.append(tuple(rows[place] for place in range(len(labels))))
        answers[size] = tuple(deals)
    return HeldOut(target.predicts_values, labels, relations, parts, answers, guesses)


def _why_not(target: TargetModel, smaller: int) -> str:
    """Why compounds cannot be held out, `smaller` being the size of the smaller class; else ''."""
    n = len(target.support)
    if not target.predicts_values and not target.has_both_classes:
        return "there are only actives, and nothing to tell them from"
    if n < SMALLEST:
        return f"there are {n} compounds; at least {SMALLEST} are needed"
    if smaller < 2:
        return "one class has a single compound, which cannot be held out and learned from both"
    if n > MOST:
        return (
            f"there are {n:,} compounds, enough to put a test set aside; up to {MOST} are held out"
        )
    return ""


def _sizes(largest: int, share: float) -> tuple[int, ...]:
    """Ascending: all that can be learned from, and half of that again and again.

    Args:
        largest: compounds that can be learned from.
        share: of the smaller class, of which two are needed; 1 for values.
    """
    sizes = [largest]
    while len(sizes) < _MOST_SIZES and (half := sizes[-1] // 2) >= SMALLEST and half * share >= 2:
        sizes.append(half)
    return tuple(reversed(sizes))


def _dealt(labels: Array, n_parts: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The part of each compound, [n]: all parts alike in size and in labels."""
    parts = np.empty(len(labels), dtype=np.int64)
    parts[np.lexsort((generator.random(len(labels)), labels))] = np.arange(len(labels)) % n_parts
    return parts


def _evenly(groups: Array) -> NDArray[np.int64]:
    """An order, [n], of which every beginning holds the groups in about their shares."""
    rank = np.empty(len(groups))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(rank, kind="stable")


def _judged(
    target: TargetModel, known: NDArray[np.int64], asked: NDArray[np.int64]
) -> dict[int, ScoredRow]:
    """What the model of the compounds at `known` says of each of those at `asked`."""
    smiles = target.checkpoint.support_smiles
    model = target.of_support(torch.from_numpy(known).to(target.support.molecules.device))
    rows = model.score([smiles[place] for place in asked])
    return dict(zip(asked.tolist(), rows, strict=True))
