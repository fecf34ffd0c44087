"""How sure a ROC-AUC is that was measured on a few compounds, and a difference of two.

A bootstrap of 8 compounds knows no more than those 8; below 32 its intervals are too narrow, and
they are empty where every active ranks above every inactive. The intervals here are neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from molmeta.evaluation.metrics import Array

CONFIDENCE = 0.95
"""Of every interval here."""

_REACH = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairWins:
    """How often a method ranked each active above each inactive."""

    wins: Array
    """[n_active, n_inactive]; a tie is half a win."""
    trials: Array
    """[n_active, n_inactive], of which these are the wins; every row and column has one."""

    @classmethod
    def of(cls, labels: Array, scores: Array, groups: NDArray[np.int64]) -> PairWins:
        """From repeated scores of the same compounds, compared within a group of each repeat.

        Args:
            labels: [n], 1 active and 0 inactive.
            scores: [n_repeats, n].
            groups: [n_repeats, n]; compounds that were scored by one and the same model.
        """
        active, inactive = labels == 1, labels == 0
        together = groups[:, active, None] == groups[:, None, inactive]
        margin = scores[:, active, None] - scores[:, None, inactive]
        won = (margin > 0) + (margin == 0) / 2
        return cls((won * together).sum(0), together.sum(0).astype(np.float64))

    @property
    def auc(self) -> float:
        """Chance that an active ranks above an inactive."""
        return float(self.wins.sum() / self.trials.sum())


def auc_estimate(pairs: PairWins) -> Estimate:
    """The AUC with its score interval (Newcombe 2006, Stat Med 25, 559, method 5).

    The limits are the AUCs θ whose own Hanley-McNeil variance puts the observed one just within
    reach: |A - θ| = z√V(θ). V has no variance to estimate from the compounds, and is not 0 at an
    observed AUC of 1.
    """
    auc, shape = pairs.auc, pairs.wins.shape

    def outside(limit: float) -> bool:
        return abs(auc - limit) > _REACH * math.sqrt(_variance(limit, *shape))

    low = _border(outside, 0.0, auc) if auc > 0 else 0.0
    high = _border(outside, 1.0, auc) if auc < 1 else 1.0
    return Estimate(auc, low, high)


def difference_estimate(ours: PairWins, theirs: PairWins) -> Estimate:
    """AUC of one method minus that of another, both on the same compounds and splits.

    The two intervals are joined as the correlation of the two AUCs (DeLong et al. 1988) demands
    (Zou 2007, Psychol Methods 12, 399, eq. 15): methods that fail on the same compounds differ by
    less than their own intervals suggest.
    """
    a, b = auc_estimate(ours), auc_estimate(theirs)
    scale = math.sqrt(_covariance(ours, ours) * _covariance(theirs, theirs))
    correlation = _covariance(ours, theirs) / scale if scale > 0 else 0.0
    difference = a.value - b.value
    return Estimate(
        difference,
        difference - _joined(a.value - a.low, b.high - b.value, correlation),
        difference + _joined(a.high - a.value, b.value - b.low, correlation),
    )


def _variance(auc: float, n_active: int, n_inactive: int) -> float:
    """Of an AUC that is `auc` in truth (Hanley & McNeil 1982), both classes at their mean size."""
    others = (n_active + n_inactive) / 2 - 1
    paired = others * ((1 - auc) / (2 - auc) + auc / (1 + auc))
    return auc * (1 - auc) * (1 + paired) / (n_active * n_inactive)


def _border(outside: Callable[[float], bool], far: float, near: float) -> float:
    """Where `outside` turns from true, towards `far`, to false, towards `near`."""
    for _ in range(_HALVINGS):
        middle = (far + near) / 2
        far, near = (middle, near) if outside(middle) else (far, middle)
    return near


def _covariance(ours: PairWins, theirs: PairWins) -> float:
    """Of two AUCs, from how each compound fared in both (DeLong et al. 1988, eq. 5 and 6)."""
    total = 0.0
    for axis in (0, 1):
        a, b = (pairs.wins.sum(axis) / pairs.trials.sum(axis) for pairs in (ours, theirs))
        total += float(np.cov(a, b)[0, 1]) / len(a)
    return total


def _joined(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0))
