"""Records: what a compound memory holds of the molecules that somebody asks about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

_SHRINKAGE = 4


# Without slots, which leave a cached property no place.
@dataclass(frozen=True)
class Records:
    """What is known of n molecules: those of them, k, that are known, and their e entries."""

    n: int
    known: Tensor
    """[k]: their places among the n, ascending."""
    owners: Tensor
    """[e]: which of the k an entry belongs to, ascending."""
    assays: Tensor
    """[e]."""
    grades: Tensor
    """[e], double."""

    @cached_property
    def counts(self) -> Tensor:
        """Entries of each known molecule: [k]."""
        return torch.bincount(self.owners, minlength=len(self.known))

    @cached_property
    def means(self) -> Tensor:
        """Sum of each known molecule's grades / (its entries + 1): [k]."""
        return self.sums(self.grades) / (self.counts + 1)

    @cached_property
    def scaled(self) -> Tensor:
        """Each grade minus the compound's own mean, over √(its entries + 4): [e].

        The mean is in the prior mean.
        """
        scale = (self.counts + _SHRINKAGE).double().rsqrt()
        return (self.grades - self.means[self.owners]) * scale[self.owners]

    @cached_property
    def columns(self) -> tuple[Tensor, Tensor]:
        """The assays of all entries [m], ascending, and the place there of each: [e]."""
        assays, places = torch.unique(self.assays, return_inverse=True)
        return assays, places

    @cached_property
    def profiles(self) -> tuple[Tensor, Tensor]:
        """The scaled grades as a matrix [k, m], and its assays [m], ascending."""
        assays, places = self.columns
        matrix = torch.zeros(len(self.known), len(assays), dtype=torch.float64)
        matrix[self.owners, places] = self.scaled
        return matrix, assays

    def sums(self, values: Tensor) -> Tensor:
        """Of `values` [e], over the entries of each known molecule: [k]."""
        return torch.zeros(len(self.known), dtype=torch.float64).index_add(0, self.owners, values)

    def among(self, assays: Tensor) -> tuple[Tensor, Tensor]:
        """The entries that are in `assays` [m], ascending, and the place there of each: [f]."""
        places = torch.searchsorted(assays, self.assays)
        there = nn.functional.pad(assays, (0, 1), value=-1)[places] == self.assays
        return there.nonzero()[:, 0], places[there]

    def matrix(self, values: Tensor, assays: Tensor) -> Tensor:
        """`values` [e] in `assays` [m], ascending, 0 where there is none: [k, m]."""
        entries, places = self.among(assays)
        matrix = torch.zeros(len(self.known), len(assays), dtype=torch.float64)
        matrix[self.owners[entries], places] = values[entries]
        return matrix

    def spread(self, values: Tensor) -> Tensor:
        """`values` [k, ...] of the known molecules, and 0 of the others: [n, ...]."""
        spread = values.new_zeros(self.n, *values.shape[1:])
        spread[self.known] = values
        return spread
