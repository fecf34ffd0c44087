"""Metrics against scikit-learn and hand numbers; NaN where there is nothing to measure."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from molmeta.evaluation.metrics import (
    METRICS,
    balanced_accuracy,
    brier_score,
    calibration_error,
    delta_auprc,
    roc_auc,
)

LABELS = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
PROBABILITIES = np.array([0.9, 0.8, 0.6, 0.3, 0.1])


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    labels = (rng.random(300) < 0.3).astype(float)
    # Rounded, so that there are ties.
    return labels, np.round(np.clip(0.3 * labels + 0.7 * rng.random(300), 0, 1), 2)


def test_delta_auprc_by_hand():
    # Actives stand first and third: precision 1/1 and 2/3 there; two of five are active.
    assert delta_auprc(LABELS, PROBABILITIES) == pytest.approx((1 + 2 / 3) / 2 - 2 / 5)


def test_delta_auprc_of_a_constant_is_0():
    assert delta_auprc(LABELS, np.full(5, 0.7)) == pytest.approx(0.0)


def test_delta_auprc_of_a_perfect_order_is_the_share_of_inactives():
    assert delta_auprc(LABELS, LABELS) == pytest.approx(3 / 5)


def test_roc_auc_counts_the_pairs_in_the_right_order(drawn):
    labels, probabilities = drawn
    actives, inactives = probabilities[labels == 1], probabilities[labels == 0]
    right = (actives[:, None] > inactives).mean() + (actives[:, None] == inactives).mean() / 2
    assert roc_auc(labels, probabilities) == pytest.approx(right)
    assert roc_auc(LABELS, PROBABILITIES) == pytest.approx(5 / 6)


def test_ranking_metrics_are_scikit_learns(drawn):
    labels, probabilities = drawn
    expected = sk.average_precision_score(labels, probabilities) - labels.mean()
    assert delta_auprc(labels, probabilities) == pytest.approx(expected, abs=1e-12)
    assert roc_auc(labels, probabilities) == pytest.approx(sk.roc_auc_score(labels, probabilities))


def test_balanced_accuracy_is_scikit_learns(drawn):
    labels, probabilities = drawn
    expected = sk.balanced_accuracy_score(labels, probabilities >= 0.5)
    assert balanced_accuracy(labels, probabilities) == pytest.approx(expected)
    assert balanced_accuracy(LABELS, PROBABILITIES) == pytest.approx((1 + 2 / 3) / 2)


def test_brier_score_is_scikit_learns(drawn):
    labels, probabilities = drawn
    expected = sk.brier_score_loss(labels, probabilities)
    assert brier_score(labels, probabilities) == pytest.approx(expected)
    assert brier_score(LABELS, PROBABILITIES) == pytest.approx(
        (0.01 + 0.64 + 0.16 + 0.09 + 0.01) / 5
    )


def test_calibration_error_by_hand():
    # Bin 0.6..0.7: 3 molecules at 0.65, one active; bin 0.9..1: one at 0.9, active, one at 1, not.
    labels = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    probabilities = np.array([0.65, 0.65, 0.65, 0.9, 1.0])
    expected = 3 / 5 * abs(1 / 3 - 0.65) + 2 / 5 * abs(1 / 2 - 0.95)
    assert calibration_error(labels, probabilities) == pytest.approx(expected)


def test_probabilities_that_are_the_frequencies_have_no_calibration_error():
    labels = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    probabilities = np.array([0.25] * 4 + [0.75] * 4)
    assert calibration_error(labels, probabilities) == pytest.approx(0.0)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("name", ["delta_auprc", "roc_auc", "balanced_accuracy"])
def test_what_needs_two_classes_is_undefined_for_one(name, value):
    assert math.isnan(METRICS[name](np.full(3, value), np.array([0.1, 0.5, 0.9])))


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("name", ["brier", "calibration_error"])
def test_what_needs_no_classes_is_defined_for_one(name, value):
    assert METRICS[name](np.full(2, value), np.array([0.5, 0.5])) in (0.25, 0.5)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_nothing_is_undefined(name):
    assert math.isnan(METRICS[name](np.array([]), np.array([])))


@pytest.mark.parametrize("name", ["delta_auprc", "roc_auc"])
def test_ranking_metrics_see_the_order_alone(name, drawn):
    labels, probabilities = drawn
    squeezed = 0.5 + probabilities**3 / 100
    assert METRICS[name](labels, squeezed) == pytest.approx(METRICS[name](labels, probabilities))


@pytest.mark.parametrize("name", METRICS)
def test_scores_that_are_no_numbers_measure_nothing(name: str):
    # Sorted by value a NaN would stand last, as if it had been predicted.
    assert math.isnan(METRICS[name](LABELS, np.array([0.9, math.nan, 0.6, 0.3, 0.1])))
