"""Fit an Expectation: which features compounds have that are the active ones of their assays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from molmeta.assays.grades import grades
from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.learners.expectation import Expectation
from molmeta.learners.weighted_tanimoto import N_SLOTS, features_of, slots
from molmeta.training.panels import panel_weights

_COUNTED_AT_A_TIME = 20_000
_STEPS = 40
"""Of conjugate gradients; after them no prediction moves by a thousandth."""


@dataclass(frozen=True, slots=True)
class ExpectationConfig:
    """Settings of the fit; `penalty = 0` leaves it out, and nothing is expected of any feature."""

    penalty: float = 0.0
    """Cost of a feature's squared grade, beside squared errors that weigh 1 on average."""

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted.

        Raises:
            ConfigError: the penalty is negative.
        """
        if self.penalty < 0:
            raise ConfigError("expectation.penalty must not be below 0.")


def fit_expectation(expectation: Expectation, store: AssayStore, config: ExpectationConfig) -> None:
    """Set the grades of `expectation` in place, by ridge regression within assays.

    The grades of an assay's rows less their mean, from their features less those' mean: what an
    assay's compounds have in common says nothing of which of them are active. A row weighs 1/√n in
    an assay of n, and an assay of a panel of m 1/m as much, because their compounds are the same.

    Args:
        expectation: of the learner, on the CPU.
        store: meta-train assays, on the CPU.
        config: with a penalty.
    """
    rows = _Rows.of(store)
    right = rows.transposed(rows.grades)
    found = torch.zeros_like(right)
    # Conjugate gradients (Hestenes & Stiefel 1952) on (XᵀX + penalty) b = Xᵀy.
    residual, direction = right.clone(), right.clone()
    square = residual @ residual
    for _ in range(_STEPS):
        image = rows.transposed(rows.times(direction)) + config.penalty * direction
        step = square / (direction @ image)
        found += step * direction
        residual -= step * image
        before, square = square, residual @ residual
        direction = residual + square / before * direction
    expectation.grades.copy_(found)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of all assays, less their assay's mean, times the root of their weight."""

    features: Tensor
    """[k], int32: slots of the features of all molecules."""
    offsets: Tensor
    """[n_molecules + 1], int32: where those of each begin."""
    molecules: Tensor
    """[n], int64."""
    assays: Tensor
    """[n], int64, ascending."""
    sizes: Tensor
    """[n_assays], of each assay."""
    roots: Tensor
    """[n], of the weights, whose mean is 1."""
    grades: Tensor
    """[n], centred and times the roots."""

    @classmethod
    def of(cls, store: AssayStore) -> _Rows:
        """Those of every task of `store`."""
        features, counts = [], []
        for start in range(0, len(store.molecules), _COUNTED_AT_A_TIME):
            end = min(start + _COUNTED_AT_A_TIME, len(store.molecules))
            some, owners = features_of(store.molecules.gather(torch.arange(start, end)))
            features.append(slots(some).int())
            counts.append(torch.bincount(owners, minlength=end - start))
        sizes = torch.tensor([len(task) for task in store])
        weights = panel_weights(store, 1.0) / sizes.sqrt()
        weights = weights / (weights * sizes).sum() * sizes.sum()
        rows = cls(
            features=torch.cat(features),
            offsets=nn.functional.pad(torch.cat(counts).cumsum(0), (1, 0)).int(),
            molecules=torch.cat([task.molecules for task in store]),
            assays=torch.arange(len(store)).repeat_interleave(sizes),
            sizes=sizes,
            roots=weights.sqrt().repeat_interleave(sizes).float(),
            grades=torch.cat([grades(task) for task in store]).float(),
        )
        return replace(rows, grades=rows.roots * rows.centred(rows.grades))

    def centred(self, values: Tensor) -> Tensor:
        """`values` [n] less their mean in each assay: [n]."""
        totals = values.new_zeros(len(self.sizes)).index_add(0, self.assays, values)
        return values - (totals / self.sizes)[self.assays]

    def times(self, numbers: Tensor) -> Tensor:
        """What `numbers` [2^17] of features make of the rows: [n]."""
        of_molecule = nn.functional.embedding_bag(
            self.features,
            numbers[:, None],
            self.offsets,
            mode="sum",
            include_last_offset=True,
        )
        return self.roots * self.centred(of_molecule[self.molecules, 0])

    def transposed(self, values: Tensor) -> Tensor:
        """The transposed matrix of `times`, by `values` [n]: [2^17]."""
        n_molecules = len(self.offsets) - 1
        of_molecule = values.new_zeros(n_molecules)
        of_molecule.index_add_(0, self.molecules, self.centred(self.roots * values))
        spread = of_molecule.repeat_interleave(self.offsets.diff())
        return values.new_zeros(N_SLOTS).index_add(0, self.features, spread)
