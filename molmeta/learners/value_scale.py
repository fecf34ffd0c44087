"""ValueScale: the scale on which a process knows values, where none outweighs the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from molmeta.learners.parts import AVERAGE, Parts
from molmeta.learners.values import Standard, ValuePrediction

_BEND = 1.5
"""Deviations from the mean beyond which values are drawn together. Chosen among 1, 1.5 and 2 on
meta-train assays that are set aside (see benchmarks/NOTES.md)."""
_NORMAL = math.sqrt(math.pi / 2)
"""Of a normal distribution, its deviation over the mean distance from its mean."""


@dataclass(frozen=True, slots=True)
class ValueScale:
    """asinh((v - m) / 1.5s), brought to mean 0 and deviation 1 over the support.

    In every fifth assay a few values are so far from the others that they alone would set the
    deviation, and all that a process knows of how values vary would be of another assay's size.
    The scale is linear near the mean m and a logarithm far from it, so that it has an inverse, and
    no value is lost (a warped Gaussian process, Snelson et al. 2004, with the warp of Johnson 1949,
    Biometrika 36, 149). s is √(π/2) times the mean distance from m: the deviation, where values are
    normal, which one far value moves less than the usual estimate.
    """

    middle: Tensor
    """[], double, m, in the unit of the values."""
    spread: Tensor
    """[], double, 1.5s, in the unit of the values."""
    standard: Standard
    """Of the values that are bent."""

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """The scale of `values` [n_support] that differ, bounds included (see `Standard`)."""
        doubles = values.double()
        middle = doubles.mean()
        spread = _BEND * _NORMAL * (doubles - middle).abs().mean()
        return cls(middle, spread, Standard.of(torch.asinh((doubles - middle) / spread)))

    def shrink(self, values: Tensor) -> Tensor:
        """`values` [n] on this scale, double."""
        return self.standard.shrink(torch.asinh((values.double() - self.middle) / self.spread))

    def parts(self, parts: Parts) -> Parts:
        """Parts that add up to a mean on this scale as parts that add up to the value.

        All parts of a molecule are stretched alike, by what its distance from the middle is.
        """
        bent = self.standard.mean + self.standard.deviation * parts.total
        # sinh(b) / b, by its series where the division would lose all digits.
        ratio = torch.where(bent.abs() < 1e-4, 1 + bent.square() / 6, torch.sinh(bent) / bent)
        stretched = parts.scaled(self.spread * ratio * self.standard.deviation)
        average = self.middle + self.spread * ratio * self.standard.mean
        return Parts(
            {**stretched.base, AVERAGE: average + stretched.base[AVERAGE]}, stretched.support
        )

    def restored(self, mean: Tensor, variance: Tensor) -> ValuePrediction:
        """The prediction in the unit of the support, of a mean and a variance [n] on this scale.

        The deviation is that of values as near to the mean as they are dense there.
        """
        bent = self.standard.mean + self.standard.deviation * mean
        slope = self.spread * torch.cosh(bent) * self.standard.deviation
        return ValuePrediction(
            (self.middle + self.spread * torch.sinh(bent)).float(),
            (slope * variance.sqrt()).expand(mean.shape).float(),
        )
