"""Numbers for one query: labels and probabilities in, a figure out, NaN where it is undefined."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Metric = Callable[[Array, Array], float]

N_CALIBRATION_BINS: Final = 10


def delta_auprc(labels: Array, probabilities: Array) -> float:
    """Average precision minus the share of actives in the query (Stanley et al. 2021).

    Args:
        labels: [n], 1 active and 0 inactive.
        probabilities: [n]; any increasing function of them gives the same.
    """
    from sklearn.metrics import average_precision_score

    if not _has_both(labels):
        return float("nan")
    return float(average_precision_score(labels, probabilities) - labels.mean())


def roc_auc(labels: Array, probabilities: Array) -> float:
    """Chance that an active ranks above an inactive, ties counted half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, probabilities)) if _has_both(labels) else float("nan")


def balanced_accuracy(labels: Array, probabilities: Array) -> float:
    """Mean over the two classes of the share classified rightly at probability 0.5."""
    if not _has_both(labels):
        return float("nan")
    called = probabilities >= 0.5
    return float((called[labels == 1].mean() + (~called)[labels == 0].mean()) / 2)


def brier_score(labels: Array, probabilities: Array) -> float:
    """Mean squared difference of probability and outcome."""
    return float(np.mean((probabilities - labels) ** 2)) if len(labels) else float("nan")


def calibration_error(labels: Array, probabilities: Array) -> float:
    """Expected calibration error over ten equal-width bins (Guo et al. 2017, eq. 3)."""
    if not len(labels):
        return float("nan")
    bins = np.minimum((probabilities * N_CALIBRATION_BINS).astype(int), N_CALIBRATION_BINS - 1)
    gaps = [
        abs((labels[bins == b] - probabilities[bins == b]).sum()) for b in range(N_CALIBRATION_BINS)
    ]
    return float(np.sum(gaps) / len(labels))


METRICS: Final[dict[str, Metric]] = {
    "delta_auprc": delta_auprc,
    "roc_auc": roc_auc,
    "balanced_accuracy": balanced_accuracy,
    "brier": brier_score,
    "calibration_error": calibration_error,
}


def _has_both(labels: Array) -> bool:
    return bool(0 < labels.sum() < len(labels))
