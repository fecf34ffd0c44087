"""Intervals hold the truth as often as they say, for as few compounds as people have."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from molmeta.evaluation.auc_interval import (
    CONFIDENCE,
    PairWins,
    auc_estimate,
    difference_estimate,
)
from molmeta.evaluation.metrics import roc_auc

Array = NDArray[np.float64]
N_TRIALS = 400
# Three standard errors of a share of .95 in so many trials.
SLACK = 3 * math.sqrt(0.95 * 0.05 / N_TRIALS)


def _labels(n_active: int, n_inactive: int) -> Array:
    return np.concatenate([np.ones(n_active), np.zeros(n_inactive)])


def _pairs(labels: Array, scores: Array) -> PairWins:
    """All compounds judged by one model, once."""
    return PairWins.of(labels, scores[None], np.zeros((1, len(labels)), dtype=np.int64))


def _distance(auc: float) -> float:
    """Between the means of two normal distributions that overlap as `auc` says."""
    return math.sqrt(2) * NormalDist().inv_cdf(auc)


@pytest.mark.parametrize("auc", [0.5, 0.7, 0.9])
@pytest.mark.parametrize(("n_active", "n_inactive"), [(4, 4), (5, 27), (16, 16)])
def test_an_interval_holds_the_true_auc_in_19_cases_of_20(
    n_active: int, n_inactive: int, auc: float
) -> None:
    generator = np.random.default_rng(0)
    labels = _labels(n_active, n_inactive)
    held = 0
    for _ in range(N_TRIALS):
        scores = generator.normal(size=len(labels)) + _distance(auc) * labels
        found = auc_estimate(_pairs(labels, scores))
        held += found.low <= auc <= found.high
    assert abs(held / N_TRIALS - CONFIDENCE) < SLACK


@pytest.mark.parametrize(("ours", "theirs"), [(0.7, 0.7), (0.85, 0.7)])
def test_an_interval_holds_the_true_difference_of_methods_that_err_alike(
    ours: float, theirs: float
) -> None:
    generator = np.random.default_rng(0)
    labels = _labels(16, 16)
    held = 0
    for _ in range(N_TRIALS):
        shared, own = generator.normal(size=(2, len(labels)))
        a = _pairs(labels, shared + _distance(ours) * labels)
        b = _pairs(labels, 0.7 * shared + math.sqrt(0.51) * own + _distance(theirs) * labels)
        found = difference_estimate(a, b)
        held += found.low <= ours - theirs <= found.high
    assert abs(held / N_TRIALS - CONFIDENCE) < SLACK


def test_methods_that_err_alike_differ_more_surely_than_methods_that_do_not() -> None:
    generator = np.random.default_rng(0)
    labels = _labels(16, 16)
    first, second = generator.normal(size=(2, 32)) + labels
    one = _pairs(labels, first)
    alike = difference_estimate(one, _pairs(labels, first + 0.1 * second))
    unlike = difference_estimate(one, _pairs(labels, second))
    assert alike.high - alike.low < 0.5 * (unlike.high - unlike.low)


def test_the_limits_are_those_of_the_published_equation() -> None:
    labels = _labels(8, 8)
    found = auc_estimate(_pairs(labels, np.sin(np.arange(16.0)) + labels))
    for limit in (found.low, found.high):
        q1, q2 = limit / (2 - limit), 2 * limit**2 / (1 + limit)  # Hanley & McNeil 1982
        variance = limit * (1 - limit) + 7 * (q1 - limit**2) + 7 * (q2 - limit**2)
        assert abs(found.value - limit) == pytest.approx(1.959964 * math.sqrt(variance / 64))


def test_a_perfect_order_of_few_compounds_proves_little() -> None:
    labels = _labels(4, 4)
    found = auc_estimate(_pairs(labels, labels))
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.4 < found.low < 0.7
    reversed_order = auc_estimate(_pairs(labels, -labels))
    assert reversed_order.low == 0.0
    assert reversed_order.high == pytest.approx(1 - found.low)
    same = difference_estimate(_pairs(labels, labels), _pairs(labels, labels))
    assert same.low < 0 < same.high


def test_the_auc_of_one_model_is_the_usual_one() -> None:
    generator = np.random.default_rng(0)
    labels = _labels(7, 12)
    scores = generator.integers(0, 5, size=19).astype(np.float64)  # with ties
    assert _pairs(labels, scores).auc == pytest.approx(roc_auc(labels, scores))


def test_compounds_are_compared_only_where_one_model_scored_both() -> None:
    labels = np.array([1.0, 1.0, 0.0, 0.0])
    scores = np.array([[5.0, -5.0, 4.0, -6.0], [1.0, 2.0, 3.0, 2.0]])
    groups = np.array([[0, 1, 0, 1], [0, 1, 0, 1]])
    pairs = PairWins.of(labels, scores, groups)
    np.testing.assert_array_equal(pairs.trials, [[2, 0], [0, 2]])
    np.testing.assert_array_equal(pairs.wins, [[1, 0], [0, 1.5]])
    assert pairs.auc == 2.5 / 4
