"""Paired comparison against SciPy and hand numbers."""

import math

import numpy as np
import pytest
from scipy import stats

from molmeta.evaluation.comparison import compare, compare_all


def test_only_assays_that_both_have_are_paired() -> None:
    found = compare({"A": 0.5, "B": 0.2, "C": 0.9}, {"B": 0.3, "A": 0.2, "D": 0.0})
    # Differences .3 and -.1.
    assert found.difference == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(0.2)
    assert (found.n_tasks, found.n_better) == (2, 1)


def test_error_and_p_value_are_those_of_the_differences() -> None:
    rng = np.random.default_rng(5)
    theirs = rng.random(40)
    ours = theirs + rng.normal(0.02, 0.05, 40)
    names = [f"T{i}" for i in range(40)]
    found = compare(dict(zip(names, ours, strict=True)), dict(zip(names, theirs, strict=True)))
    assert found.standard_error == pytest.approx(stats.sem(ours - theirs))
    assert found.p_value == pytest.approx(stats.wilcoxon(ours, theirs).pvalue)
    assert found.standard_error < stats.sem(ours) / 2


def test_equal_methods_differ_by_0_and_have_no_p_value() -> None:
    found = compare({"A": 0.5, "B": 0.2}, {"A": 0.5, "B": 0.2})
    assert (found.difference, found.standard_error, found.n_better) == (0.0, 0.0, 0)
    assert math.isnan(found.p_value)


def test_one_task_has_no_standard_error() -> None:
    assert math.isnan(compare({"A": 0.5}, {"A": 0.2}).standard_error)


def test_every_pair_is_compared_once_and_with_all_that_is_published_at_the_shared_sizes() -> None:
    ours = {"a": {16: {"T": 0.3}, 64: {"T": 0.5}}, "b": {16: {"T": 0.1}}}
    published = {"x": {16: {"T": 0.2}, 32: {"T": 0.0}}, "y": {64: {"other": 0.0}}}
    found = [
        (one.method, one.other, one.support_size, one.comparison.difference)
        for one in compare_all(ours, published)
    ]
    assert found == [
        ("a", "b", 16, pytest.approx(0.2)),
        ("a", "x", 16, pytest.approx(0.1)),
        ("b", "x", 16, pytest.approx(-0.1)),
    ]
