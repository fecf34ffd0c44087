"""Metrics of values against hand numbers, SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import r2_score

from molmeta.evaluation.value_metrics import VALUE_METRICS, r2, spearman, value_metrics


def test_r2_is_against_the_mean_of_the_support() -> None:
    values, means = np.array([5.0, 6.0, 9.0]), np.array([5.5, 6.0, 8.0])
    assert r2(values, means, 6.0) == pytest.approx(1 - 1.25 / 10)
    assert r2(values, means, float(values.mean())) == pytest.approx(r2_score(values, means))
    assert r2(values, np.full(3, 6.0), 6.0) == 0


def test_spearman_shares_ranks_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    values, means = rng.integers(0, 6, 40).astype(float), rng.integers(0, 9, 40).astype(float)
    assert spearman(values, means) == pytest.approx(spearmanr(values, means).statistic)


def test_undefined_figures_are_nan() -> None:
    equal = np.full(3, 5.0)
    assert np.isnan(r2(equal, equal + 1, 5.0))
    assert np.isnan(spearman(equal, np.arange(3.0)))
    assert np.isnan(spearman(np.arange(3.0), equal))
    bounds = np.zeros(3, dtype=bool)
    figures = value_metrics(np.arange(3.0), bounds, equal, equal - 9, equal + 9, 1.0)
    assert np.isnan(figures["coverage"])


def test_coverage_counts_measured_values_alone() -> None:
    values = np.array([5.0, 6.0, 7.0, 8.0])
    measured = np.array([True, True, True, False])
    means = np.full(4, 5.5)
    figures = value_metrics(values, measured, means, means - 1, means + 1, 6.0)
    assert tuple(figures) == VALUE_METRICS
    assert figures["coverage"] == pytest.approx(2 / 3)
    assert figures["rmse"] == pytest.approx(np.sqrt((0.25 + 0.25 + 2.25 + 6.25) / 4))
