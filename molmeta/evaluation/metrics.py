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
    if not _can_rank(labels, probabilities):
        return float("nan")
    actives, molecules = _above_each_threshold(labels, probabilities)
    recall = actives / labels.sum()
    average_precision = np.sum(np.diff(recall, prepend=0.0) * actives / molecules)
    return float(average_precision - labels.mean())


def roc_auc(labels: Array, probabilities: Array) -> float:
    """Chance that an active ranks above an inactive, ties counted half."""
    if not _can_rank(labels, probabilities):
        return float("nan")
    actives, molecules = _above_each_threshold(labels, probabilities)
    inactives = molecules - actives
    # Of the inactives at a threshold, how many actives stand above each; of those beside it, half.
    above = actives - np.diff(actives, prepend=0.0) / 2
    pairs = np.sum(np.diff(inactives, prepend=0.0) * above)
    return float(pairs / (actives[-1] * inactives[-1]))


def balanced_accuracy(labels: Array, probabilities: Array) -> float:
    """Mean over the two classes of the share classified rightly at probability 0.5."""
    if not _can_rank(labels, probabilities):
        return float("nan")
    called = probabilities >= 0.5
    return float((called[labels == 1].mean() + (~called)[labels == 0].mean()) / 2)


def brier_score(labels: Array, probabilities: Array) -> float:
    """Mean squared difference of probability and outcome."""
    return float(np.mean((probabilities - labels) ** 2)) if len(labels) else float("nan")


def calibration_error(labels: Array, probabilities: Array) -> float:
    """Expected calibration error over ten equal-width bins (Guo et al. 2017, eq. 3)."""
    if not len(labels) or np.isnan(probabilities).any():
        return float("nan")
    bins = np.minimum((probabilities * N_CALIBRATION_BINS).astype(int), N_CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, labels - probabilities, N_CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


METRICS: Final[dict[str, Metric]] = {
    "delta_auprc": delta_auprc,
    "roc_auc": roc_auc,
    "balanced_accuracy": balanced_accuracy,
    "brier": brier_score,
    "calibration_error": calibration_error,
}


def _can_rank(labels: Array, probabilities: Array) -> bool:
    """Whether there are both classes, and a number for each molecule: NaN has no rank."""
    return bool(0 < labels.sum() < len(labels)) and not np.isnan(probabilities).any()


def _above_each_threshold(labels: Array, probabilities: Array) -> tuple[Array, Array]:
    """How many actives, and how many molecules, reach each distinct probability, descending."""
    # scikit-learn's functions give the same numbers, and checking their input takes them longer
    # than everything else in a draw.
    order = np.argsort(-probabilities, kind="stable")
    descending = probabilities[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(descending)), len(order) - 1)
    return np.cumsum(labels[order])[last_of_ties], last_of_ties + 1.0
