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
"""Deviations from the mean beyond which values are drawn together. Nearer, assays with far values
gain no more, and those without lose (see benchmarks/NOTES.md)."""
_NORMAL = math.sqrt(math.pi / 2)
"""Of a normal distribution, its deviation over the mean distance from its mean."""


@dataclass(frozen=True, slots=True)
class ValueScale:
    """g((v - m) / s), brought to mean 0 and deviation 1 over the support.

    g(z) is z up to 1.5 and 1.5 + ln(z - 0.5) beyond, g(-z) = -g(z): in every fifth assay a few
    values are so far from the others that they alone would set the deviation, and what a process
    knows of how values vary would be of another assay's size. g has an inverse, so that no value is
    lost (a warped Gaussian process, Snelson et al. 2004). m is the mean and s √(π/2) times the mean
    distance from it: the deviation, where values are normal, which one far value moves less than
    the usual estimate.
    """

    middle: Tensor
    """[], double, m, in the unit of the values."""
    spread: Tensor
    """[], double, s, in the unit of the values."""
    standard: Standard
    """Of g."""

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """The scale of `values` [n_support] that differ, bounds included (see `Standard`)."""
        doubles = values.double()
        middle = doubles.mean()
        spread = _NORMAL * (doubles - middle).abs().mean()
        return cls(middle, spread, Standard.of(_bent((doubles - middle) / spread)))

    def shrink(self, values: Tensor) -> Tensor:
        """`values` [n] on this scale, double."""
        return self.standard.shrink(_bent((values.double() - self.middle) / self.spread))

    def restored(self, mean: Tensor, variance: Tensor) -> ValuePrediction:
        """The prediction in the unit of the support, of a mean and a variance [n] on this scale.

        The deviation is that of values as near to the mean as they are dense there.
        """
        bent = self._bent_of(mean)
        slope = self.spread * _far(bent).exp() * self.standard.deviation
        return ValuePrediction(
            (self.middle + self.spread * _straight(bent)).float(),
            (slope * variance.sqrt()).expand(mean.shape).float(),
        )

    def parts(self, parts: Parts) -> Parts:
        """Parts that add up to a mean on this scale as parts that add up to the value.

        All parts of a molecule are stretched alike, by what its distance from the middle is.
        """
        bent = self._bent_of(parts.total)
        stretch = self.spread * torch.where(bent.abs() > _BEND, _straight(bent) / bent, 1.0)
        stretched = parts.scaled(stretch * self.standard.deviation)
        average = self.middle + stretch * self.standard.mean + stretched.base[AVERAGE]
        return Parts({**stretched.base, AVERAGE: average}, stretched.support)

    def _bent_of(self, mean: Tensor) -> Tensor:
        """G of what is `mean` [n] on this scale: [n]."""
        return self.standard.mean + self.standard.deviation * mean


def _bent(z: Tensor) -> Tensor:
    """G of each of `z` [n]."""
    return z.clamp(-_BEND, _BEND) + z.sign() * torch.log1p(_far(z))


def _straight(bent: Tensor) -> Tensor:
    """Z of each g [n]."""
    return bent.clamp(-_BEND, _BEND) + bent.sign() * torch.expm1(_far(bent))


def _far(z: Tensor) -> Tensor:
    """How far each of `z` [n] is beyond the bend, 0 where it is not: [n]."""
    return (z.abs() - _BEND).clamp(min=0)
