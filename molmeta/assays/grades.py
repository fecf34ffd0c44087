"""How active each row of a task is beside the others, on one scale for assays of every kind."""

from __future__ import annotations

import torch
from torch import Tensor

from molmeta.assays.task import Task

_FEWEST_VALUES = 5


def grades(task: Task) -> Tensor:
    """Activity of each row relative to its assay: [n], float64, -1 to 1, about 0 on average.

    A value counts by its rank: tanh(Φ⁻¹((rank - 1/2) / n)), ties sharing their mean rank. So a
    nanomolar inhibitor and a weak one that both count as active are told apart, and no outlier
    outweighs the rest. Which end is active is read from the labels, since a public "value" may be
    a percentage of inhibition, whose logarithm falls where activity rises. A row without a value,
    and every row of an assay with fewer than five or with equal ones, has 2·(label - share active).
    """
    labels = task.labels.double()
    given = 2 * (labels - labels.mean())
    measured = torch.isfinite(task.log_values)
    values, labels = task.log_values[measured], labels[measured]
    levels, level, counts = torch.unique(values, return_inverse=True, return_counts=True)
    if len(values) < _FEWEST_VALUES or len(levels) < 2:
        return given
    ranks = (counts.cumsum(0) - (counts - 1) / 2 - 0.5)[level].double() / len(values)
    if (ranks - ranks.mean()) @ labels < 0:
        ranks = 1 - ranks
    given[measured] = torch.tanh(torch.special.ndtri(ranks))
    return given
