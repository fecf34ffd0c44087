"""Unlikeness: how far molecules are from a support, and what that says of their activity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from molmeta.learners.tobit import Posterior


@dataclass(frozen=True, slots=True)
class Unlikeness:
    """-c·(√v(x) - s), v the posterior variance of f and s what √v is at the support itself.

    Compounds are made because others of their kind were active. One that is farther from all of a
    support than its compounds are from one another is less often active than their average, which
    is what a Gaussian process goes back to. s is the mean over the support of √v at each compound
    given the others alone, so that on the whole nothing is taken from molecules like it.
    """

    factor: Tensor
    """[], c."""
    usual: Tensor
    """[], s."""

    @classmethod
    def of(cls, posterior: Posterior, factor: Tensor) -> Unlikeness:
        """By the support that `posterior` knows."""
        return cls(factor, posterior.left_out().sqrt().mean())

    def __call__(self, variance: Tensor) -> Tensor:
        """What is added to the mean of molecules with posterior `variance` [n]: [n]."""
        return -self.factor * (variance.sqrt() - self.usual)
