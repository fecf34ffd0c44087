"""How active each row of a task is beside the others, on scales for assays of every kind."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from molmeta.assays.task import Task

_FEWEST_VALUES = 5
_HIGHEST = 3.0
"""Deviations from the mean that a height counts at most."""


def grades(task: Task) -> Tensor:
    """Activity of each row relative to its assay: [n], float64, -1 to 1, about 0 on average.

    A value counts by its rank: tanh(Φ⁻¹((rank - 1/2) / n)), ties sharing their mean rank. So a
    nanomolar inhibitor and a weak one that both count as active are told apart, and no outlier
    outweighs the rest. Which end is active is read from the labels, since a public "value" may be
    a percentage of inhibition, whose logarithm falls where activity rises. A row without a value,
    and every row of an assay with fewer than five or with equal ones, has 2·(label - share active).
    """
    return _activity(task, _by_rank)


def heights(task: Task) -> Tensor:
    """The same for those who predict values: [n], float64, about 0 on average.

    A value counts by its distance from the assay's mean, half of it in deviations, so that heights
    are about as large as grades, and at most 1.5. A rank says which of two compounds is better and
    not by how much, which is all that classes ask.
    """
    return _activity(task, _by_distance)


def _activity(task: Task, scale: Callable[[Tensor], Tensor]) -> Tensor:
    labels = task.labels.double()
    given = 2 * (labels - labels.mean())
    measured = torch.isfinite(task.log_values)
    values, labels = task.log_values[measured].double(), labels[measured]
    if len(values) < _FEWEST_VALUES or len(torch.unique(values)) < 2:
        return given
    ranks = _ranks(values)
    falls = (ranks - ranks.mean()) @ labels < 0
    given[measured] = scale(-values if falls else values)
    return given


def _ranks(values: Tensor) -> Tensor:
    """(rank - 1/2) / n of each of `values` [n], ties sharing their mean rank: [n]."""
    _, level, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ranks: Tensor = (counts.cumsum(0) - (counts - 1) / 2 - 0.5)[level].double()
    return ranks / len(values)


def _by_rank(values: Tensor) -> Tensor:
    return torch.tanh(torch.special.ndtri(_ranks(values)))


def _by_distance(values: Tensor) -> Tensor:
    deviations = (values - values.mean()) / values.std()
    return deviations.clamp(-_HIGHEST, _HIGHEST) / 2
