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

    @classmethod
    def of(
        cls,
        memory: CompoundMemory,
        support: MoleculeBatch,
        targets: Tensor,
        strength: Tensor,
        sharpness: Tensor,
    ) -> Resemblance:
        """The agreement with `targets` [n_support], centred and about -1 to 1."""
        assays = memory.assays_of(support)
        grades = memory.profiles(support, assays)
        return cls(memory, assays, targets.double().cpu() @ grades, strength, sharpness)

    def opinion(self, query: MoleculeBatch) -> Tensor:
        """Mean grade of each molecule, assays weighted by their agreement, times strength: [n].

        Σ_a π_a x_qa / (Σ_a π_a + 0.3) over the assays that know the molecule, π the softmax of
        sharpness · agreement; 0 where none knows it, and near 0 where only unlike ones do.
        """
        shares = torch.softmax(self.sharpness.cpu() * self.agreement, 0)
        total, share = self.memory.weighted(query, self.assays, shares)
        return self.strength * (total / (share + _SHRINKAGE)).to(query.device)
