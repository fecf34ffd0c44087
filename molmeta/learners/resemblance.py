"""Resemblance: which meta-train assays a new assay is like, and what those said of a compound."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.memory import CompoundMemory

_SHRINKAGE = 0.3


@dataclass(frozen=True, slots=True)
class Resemblance:
    """How well each meta-train assay agrees with a support set.

    The kernel of the memory lets every assay speak alike, in proportion to its covariance; but a
    new assay is often nearly a repetition of one or two, such as another measurement on the same
    target. Their agreement with the support then stands out, and the softmax picks them: a mixture
    over assays, in the way that attention over a context is (Ramsauer et al. 2021, eq. 3).
    """

    memory: CompoundMemory
    assays: Tensor
    """[n_assays], int64, ascending: those that know a support compound."""
    agreement: Tensor
    """[n_assays], double: sum over the support of label times grade."""
    strength: Tensor
    """[], factor on what they say."""
    sharpness: Tensor
    """[], factor on the agreement."""
    upright: Tensor | None = None
    """[], log odds beforehand that the targets rise with activity; None where they do."""

    @classmethod
    def of(
        cls,
        memory: CompoundMemory,
        support: MoleculeBatch,
        targets: Tensor,
        strength: Tensor,
        sharpness: Tensor,
        upright: Tensor | None = None,
    ) -> Resemblance:
        """The agreement with `targets` [n_support], centred and about -1 to 1.

        Nobody says of values which end is active: a percentage of inhibition falls, written as a
        logarithm of a concentration, where activity rises. With `upright` each assay is asked
        twice, once as it is and once upside down.
        """
        assays = memory.assays_of(support)
        grades = memory.profiles(support, assays)
        agreement = targets.double().cpu() @ grades
        return cls(memory, assays, agreement, strength, sharpness, upright)

    @property
    def shares(self) -> tuple[Tensor, Tensor]:
        """Weight of each assay, and the same with the sign of its direction: [n_assays] each."""
        scores = self.sharpness.cpu() * self.agreement
        if self.upright is None:
            weights = torch.softmax(scores, 0)
            return weights, weights
        half = self.upright.cpu() / 2
        both = torch.softmax(torch.stack([scores + half, -scores - half]).flatten(), 0).view(2, -1)
        return both.sum(0), both[0] - both[1]

    @property
    def direction(self) -> Tensor:
        """1 where targets surely rise with activity, -1 where they surely fall: []."""
        if self.upright is None or not len(self.assays):
            return torch.ones((), dtype=torch.float64, device=self.strength.device)
        return self.shares[1].sum().to(self.strength.device)

    def opinion(self, query: MoleculeBatch) -> Tensor:
        """Mean grade of each molecule, assays weighted by their agreement, times strength: [n].

        Σ_a π_a x_qa / (Σ_a π_a + 0.3) over the assays that know the molecule, π the softmax of
        sharpness · agreement; 0 where none knows it, and near 0 where only unlike ones do.
        """
        weights, signed = self.shares
        total, share = self.memory.weighted(query, self.assays, signed, weights)
        return self.strength * (total / (share + _SHRINKAGE)).to(query.device)
