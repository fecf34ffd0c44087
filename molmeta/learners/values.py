"""The contract of learners that predict values: `adapt_values(support)`, beside `adapt`.

    ValueLearner      adapt_values(support) -> ValuePredictor     any method
    ValueHeadLearner  encode once, then fit_value_head(support) -> ValueHead

Values are logarithms such as pIC50, in which errors are alike along the scale. What is predicted
moves and stretches with them, so that any other scale with that property does as well.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from molmeta.assays.task import MeasuredMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.errors import SupportError
from molmeta.learners.base import Embedded, HeadLearner, HeadPredictor, Learner

COVERAGE = 0.9
"""Share of measurements that an interval is meant to hold, wherever none is named."""

_LEAST_MEASURED = 2
_DEVIATION_OF_T = math.sqrt(2)
"""Of Student's t with 4 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class ValuePrediction:
    """What a predictor says of each molecule's value: Student's t with 4 degrees of freedom.

    Its tails are those of errors whose scale differs from assay to assay; a normal distribution
    that had to cover the worst assays would be too wide for all others. With 4 degrees all that is
    needed has a closed form (Shaw 2006, J. Comput. Finance 9, 37).
    """

    mean: Tensor
    """[n], float32, in the unit of the support."""
    deviation: Tensor
    """[n], float32: standard deviation of a new measurement, its noise included; above 0."""

    def interval(self, coverage: float = COVERAGE) -> tuple[Tensor, Tensor]:
        """Lower and upper end, [n] each, between which the share `coverage` of values is expected.

        Args:
            coverage: above 0 and below 1.
        """
        # Shaw 2006, eq. 40, at u = (1 + coverage) / 2, where 4u(1 - u) = 1 - coverage².
        root = math.sqrt(1 - coverage**2)
        quantile = 2 * math.sqrt(math.cos(math.acos(root) / 3) / root - 1)
        reach = quantile / _DEVIATION_OF_T * self.deviation
        return self.mean - reach, self.mean + reach

    def log_density(self, values: Tensor, relations: Tensor) -> Tensor:
        """Logarithm of the density at `values` [n], of a bound that of the chance beyond it: [n].

        Args:
            values: [n], in the unit of the support.
            relations: [n], of the truth to the values.
        """
        scale = self.deviation.double() / _DEVIATION_OF_T
        t = (values.double() - self.mean.double()) / scale
        square = 1 + t.square() / 4
        density = math.log(3 / 8) - 2.5 * square.log() - scale.log()
        # From 0 at the mean to 1/2 far out.
        between = 3 / 8 * t / square.sqrt() * (1 - t.square() / square / 12)
        beyond = (0.5 - relations * between).clamp(min=1e-12).log()
        return torch.where(relations == 0, density, beyond)


ValuePredictor = Callable[[MoleculeBatch], ValuePrediction]
"""A learner adapted to values: molecules [n] to their ValuePrediction, each by itself alone."""

ValueHead = Callable[[Embedded], ValuePrediction]
"""A ValuePredictor over molecules that are encoded already."""


class ValueLearner(Learner, ABC):
    """A learner that can predict values too."""

    def adapt_values(self, support: MeasuredMolecules) -> ValuePredictor:
        """A predictor for the task that `support` [n_support] comes from.

        The same to the last bit for any order of the support.

        Raises:
            SupportError: fewer than two values that are no bounds, or all of them equal.
        """
        require_values(support.values, support.relations)
        return self._adapt_values(support.gather(in_fixed_order(support)))

    @abstractmethod
    def _adapt_values(self, support: MeasuredMolecules) -> ValuePredictor:
        """`adapt_values`, with values that differ and the molecules in a fixed order."""


class ValueHeadLearner(HeadLearner, ValueLearner):
    """A HeadLearner whose head can be fitted to values too."""

    @abstractmethod
    def fit_value_head(self, support: Embedded, values: Tensor, relations: Tensor) -> ValueHead:
        """The head for values [n_support] that differ, with relations [n_support] to the truth."""

    def _adapt_values(self, support: MeasuredMolecules) -> ValuePredictor:
        embedded = self.embed(support.molecules)
        head = self.fit_value_head(embedded, support.values, support.relations)
        return HeadPredictor(self.embed, head)


@dataclass(frozen=True, slots=True)
class Standard:
    """The scale on which a support has mean 0 and standard deviation 1."""

    mean: Tensor
    """[], double."""
    deviation: Tensor
    """[], double, with ddof 1."""

    @classmethod
    def of(cls, values: Tensor) -> Standard:
        """The scale of `values` [n_support] that differ, bounds included, which are near others."""
        doubles = values.double()
        return cls(doubles.mean(), doubles.std())

    def shrink(self, values: Tensor) -> Tensor:
        """`values` [n] on this scale, double."""
        return (values.double() - self.mean) / self.deviation

    def restored(self, mean: Tensor, variance: Tensor) -> ValuePrediction:
        """The prediction in the unit of the support, of a mean and a variance [n] on this scale."""
        return ValuePrediction(
            (self.mean + self.deviation * mean).float(),
            (self.deviation * variance.sqrt()).expand(mean.shape).float(),
        )


def expected(standardised: Tensor, relations: Tensor) -> Tensor:
    """Values as they are, and of each bound the mean of what lies beyond it: [n_support].

    For methods that know points alone. Beyond b a standard normal has its mean at φ(b)/Φ(-b), with
    signs as the bound has them.

    Args:
        standardised: [n_support], values and bounds on a `Standard` scale.
        relations: [n_support].
    """
    sign = relations.to(standardised)
    density = -standardised.square() / 2 - math.log(2 * math.pi) / 2
    beyond = sign * torch.exp(density - torch.special.log_ndtr(-sign * standardised))
    return torch.where(relations == 0, standardised, beyond)


def in_fixed_order(support: MeasuredMolecules) -> Tensor:
    """Rows of `support` by identity key, then value, then relation: [n_support]."""
    order = torch.argsort(support.relations, stable=True)
    for column in (support.values, support.molecules.keys):
        order = order[torch.argsort(column[order], stable=True)]
    return order


def teaches_values(values: Tensor, relations: Tensor) -> bool:
    """Whether a support [n_support] has two values at least that are no bounds and differ."""
    return bool((values[relations == 0].diff() != 0).any())


def require_values(values: Tensor, relations: Tensor) -> None:
    """Refuse a support [n_support] that does not teach values.

    Raises:
        SupportError: fewer than two values that are no bounds, or all of them equal.
    """
    if teaches_values(values, relations):
        return
    n = int((relations == 0).sum())
    if n < _LEAST_MEASURED:
        raise SupportError(
            f"Only {n} of the {len(values)} support compounds "
            f"{'has' if n == 1 else 'have'} a measured value, and not only a bound: "
            f"at least {_LEAST_MEASURED} are needed."
        )
    raise SupportError(
        f"All {n} measured support compounds have the same value: a model cannot learn a "
        "difference from values that do not differ."
    )
