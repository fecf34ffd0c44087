"""Numbers for one query of values: measured and predicted in, figures out, NaN where undefined.

A bound counts as the value that it was published with, as in FS-Mol's regression benchmark; only
the coverage of intervals leaves bounds out.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from molmeta.evaluation.metrics import Array

VALUE_METRICS: Final = ("r2", "spearman", "rmse", "coverage")


def value_metrics(
    values: Array, measured: Array, means: Array, low: Array, high: Array, support_mean: float
) -> dict[str, float]:
    """All of VALUE_METRICS, by name.

    Args:
        values: [n_query].
        measured: [n_query], bool; False for a bound.
        means: [n_query], predicted.
        low: [n_query], lower end of the predicted interval.
        high: [n_query], its upper end.
        support_mean: of the support's values, what one would predict without any molecule.
    """
    inside = (low <= values) & (values <= high)
    figures = (
        r2(values, means, support_mean),
        spearman(values, means),
        float(np.sqrt(np.mean((values - means) ** 2))) if len(values) else float("nan"),
        float(inside[measured].mean()) if measured.any() else float("nan"),
    )
    return dict(zip(VALUE_METRICS, figures, strict=True))


def r2(values: Array, means: Array, support_mean: float) -> float:
    """R² out of sample, 1 - Σ(y - p)² / Σ(y - ȳ_support)² (Chen et al. 2023)."""
    total = np.sum((values - support_mean) ** 2)
    return float(1 - np.sum((values - means) ** 2) / total) if total > 0 else float("nan")


def spearman(values: Array, means: Array) -> float:
    """Correlation of the ranks, equal values sharing their mean rank."""
    if len(np.unique(values)) < 2 or len(np.unique(means)) < 2:
        return float("nan")
    return float(np.corrcoef(_ranks(values), _ranks(means))[0, 1])


def _ranks(numbers: Array) -> Array:
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    middle: Array = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]
