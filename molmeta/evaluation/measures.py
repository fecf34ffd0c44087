"""What the metrics of a report are called, and how a reader may take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from molmeta.learners.values import COVERAGE


@dataclass(frozen=True, slots=True)
class Measure:
    """How a reader may take a metric."""

    label: str
    meaning: str
    """In a sentence or two."""
    lower_is_better: bool = False
    has_best: bool = True
    """Whether the best method is the one with the most or the least of it."""


MEASURES: Final = {
    "delta_auprc": Measure(
        "ΔAUPRC", "Average precision minus the share of actives in the query; 0 is a random order."
    ),
    "roc_auc": Measure(
        "ROC-AUC", "Chance that an active ranks above an inactive; 0.5 is a random order."
    ),
    "balanced_accuracy": Measure(
        "Balanced accuracy",
        "Mean over the two classes of the share called rightly at probability 0.5; 0.5 is a guess.",
    ),
    "brier": Measure(
        "Brier score", "Mean squared difference of probability and outcome.", lower_is_better=True
    ),
    "calibration_error": Measure(
        "Expected calibration error",
        "Mean gap between probability and share of actives over ten bins, of each draw by itself: "
        "few molecules a bin, so also a perfect model gets more than 0.",
        lower_is_better=True,
    ),
    "pooled_brier": Measure(
        "Brier score, pooled",
        "Mean squared difference of probability and outcome over the query molecules of all draws.",
        lower_is_better=True,
    ),
    "pooled_calibration_error": Measure(
        "Expected calibration error, pooled",
        "Mean gap between probability and share of actives over ten bins that hold the query "
        "molecules of all draws.",
        lower_is_better=True,
    ),
    "r2": Measure(
        "R² out of sample",
        "1 minus the ratio of the squared error to that of the support's mean; 0 is that mean.",
    ),
    "spearman": Measure("Spearman correlation", "Correlation of the ranks; 0 is a random order."),
    "rmse": Measure(
        "Root mean squared error", "In log10 units of the molar value.", lower_is_better=True
    ),
    "coverage": Measure(
        "Interval coverage",
        f"Share of measured values inside their predicted {COVERAGE:.0%} interval; "
        f"{COVERAGE:.2f} is meant.",
        has_best=False,
    ),
}


def measure_of(metric: str) -> Measure:
    """What is known of a metric; one that is not known here is called by its own name."""
    return MEASURES.get(metric, Measure(metric, ""))
