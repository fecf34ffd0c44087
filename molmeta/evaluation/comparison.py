"""Two methods on the same tasks: how much better one is, and whether that could be chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method minus another over the tasks that both have."""

    difference: float
    """Mean over tasks; above 0 where the first has the higher figures."""
    standard_error: float
    """Standard deviation of the tasks' differences (ddof 1) / sqrt(n_tasks); NaN for one task."""
    p_value: float
    """Of Wilcoxon's signed-rank test, two-sided; NaN where no task differs."""
    n_tasks: int
    n_better: int
    """Tasks on which the first has the higher figure."""


@dataclass(frozen=True, slots=True)
class ComparedMethods:
    """A comparison with what was compared."""

    method: str
    other: str
    support_size: int
    comparison: Comparison


def compare(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Comparison:
    """The figures of two methods by assay, paired over the assays that both have (at least one).

    Tasks differ far more from each other than methods do on a task: the paired standard error is
    about a fifth of each method's own.
    """
    from scipy.stats import wilcoxon

    differences = np.array([ours[assay] - theirs[assay] for assay in ours if assay in theirs])
    n = len(differences)
    return Comparison(
        difference=float(differences.mean()),
        standard_error=float(differences.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan,
        p_value=float(wilcoxon(differences).pvalue) if differences.any() else math.nan,
        n_tasks=n,
        n_better=int((differences > 0).sum()),
    )


TaskMeans = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Method -> support size -> assay -> mean over its draws that have a value."""


def compare_all(ours: TaskMeans, published: TaskMeans) -> list[ComparedMethods]:
    """Every method with each that stands after it, and then with each published one, by size."""
    names = list(ours)
    pairs = [(name, other, ours[other]) for i, name in enumerate(names) for other in names[i + 1 :]]
    pairs += [(name, other, published[other]) for name in names for other in published]
    return [
        ComparedMethods(name, other, size, compare(of_size, theirs[size]))
        for name, other, theirs in pairs
        for size, of_size in ours[name].items()
        if of_size.keys() & theirs.get(size, {}).keys()
    ]
