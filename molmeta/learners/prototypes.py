"""Prototypes of the two classes, and the metric in which molecules are near them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

from molmeta.learners.base import require_both_classes
from molmeta.learners.size_law import REFERENCE_SIZE

RIDGE: Final = 20.0
"""Of the covariance of 32 compounds, where the mean square of a coordinate is 1."""


def prototypes(vectors: Tensor, labels: Tensor) -> Tensor:
    """Mean embedding of each class (Snell et al. 2017, eq. 1).

    Args:
        vectors: [n_support, dim].
        labels: [n_support]; 1 is active.

    Returns:
        [2, dim]; row 0 inactive, row 1 active.

    Raises:
        SupportError: a class has no molecule. Dropping its row would swap the classes.
    """
    require_both_classes(labels)
    return torch.stack([vectors[labels == value].mean(0) for value in (0, 1)])


def class_log_odds(labels: Tensor) -> Tensor:
    """Log odds of the class counts of `labels` [n_support], with one of each added: []."""
    # The added ones keep a 1 : 15 support from shouting.
    actives = labels.sum()
    return torch.log((actives + 1) / (len(labels) - actives + 1))


@dataclass(frozen=True, slots=True)
class ClassMetric:
    """P = (I + Σ/r)⁻¹, Σ the covariance within the classes: their spread is no difference.

    That is the metric of Fisher's discriminant with a ridge (Friedman 1989, J. Am. Stat. Assoc.
    84, 165, eq. 18), one for both classes, so that the difference of two squared distances is
    linear in the molecule. r is `ridge` · (32 / n)² for n compounds, because a covariance from few
    is noise: the metric is Euclid's for eight compounds, and follows them more and more.
    """

    spread: Tensor
    """[n_support, dim]: Z with Z'Z = Σ/r."""
    factor: Tensor
    """[n_support, n_support], Cholesky's of I + ZZ'."""

    @classmethod
    def of(cls, vectors: Tensor, labels: Tensor, ridge: float) -> Self:
        """The metric of a support of both classes.

        Args:
            vectors: [n_support, dim], at any length.
            labels: [n_support]; 1 is active.
            ridge: above 0; the larger, the more like Euclid's.
        """
        n = len(labels)
        centred = vectors - prototypes(vectors, labels)[labels.long()]
        # Without a spread where each class has one compound.
        variance = vectors.square().mean() * max(n - 2, 1)
        spread = centred * (n / REFERENCE_SIZE) / torch.sqrt(ridge * variance)
        identity = torch.eye(n, dtype=spread.dtype, device=spread.device)
        return cls(spread, torch.linalg.cholesky(identity + spread @ spread.T))

    def __call__(self, vectors: Tensor) -> Tensor:
        """P times each of `vectors` [k, dim]: [k, dim]."""
        # Woodbury's identity, because a support has fewer compounds than an embedding dimensions.
        inner = torch.cholesky_solve(self.spread @ vectors.T, self.factor)
        return vectors - inner.T @ self.spread
