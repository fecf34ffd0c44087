"""Grades against SciPy's ranks and hand numbers."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata

from molmeta.assays.grades import grades, heights
from molmeta.assays.task import Task


def _task(labels: list[float], values: list[float]) -> Task:
    n = len(labels)
    return Task(
        assay_id="A",
        molecules=torch.arange(n),
        labels=torch.tensor(labels),
        log_values=torch.tensor(values),
        relations=torch.zeros(n, dtype=torch.int8),
    )


def test_values_count_by_rank_with_ties_at_their_mean_rank() -> None:
    values = [5.0, 6.0, 6.0, 7.0, 9.0, 4.0]
    expected = np.tanh(norm.ppf((rankdata(values) - 0.5) / 6))
    found = grades(_task([0.0, 0.0, 1.0, 1.0, 1.0, 0.0], values))
    torch.testing.assert_close(found, torch.from_numpy(expected))


def test_the_labels_say_which_end_is_active() -> None:
    # A percentage of inhibition: its "pIC50" falls where activity rises.
    values = [9.0, 8.0, 7.5, 7.0, 6.0]
    found = grades(_task([0.0, 0.0, 0.0, 1.0, 1.0], values))
    assert found.tolist() == sorted(found.tolist())


@pytest.mark.parametrize("values", [[5.0, 6.0, 7.0, math.nan, math.nan], [5.0] * 5])
def test_few_or_equal_values_leave_the_centred_label(values: list[float]) -> None:
    found = grades(_task([1.0, 0.0, 0.0, 0.0, 0.0], values))
    torch.testing.assert_close(found, torch.tensor([1.6, -0.4, -0.4, -0.4, -0.4]).double())


def test_a_row_without_a_value_has_its_centred_label_beside_the_ranked() -> None:
    found = grades(_task([1.0, 0.0, 0.0, 1.0, 1.0, 0.0], [7.0, 5.0, 4.0, 8.0, 9.0, math.nan]))
    assert found[5] == -1.0
    torch.testing.assert_close(found[:5].sum(), torch.tensor(0.0).double(), atol=1e-6, rtol=0)


def test_heights_are_halves_of_a_deviation_and_no_more_than_three() -> None:
    values = [5.0, 6.0, 6.0, 7.0, 9.0, 4.0]
    deviations = (np.array(values) - np.mean(values)) / np.std(values, ddof=1)
    found = heights(_task([0.0, 0.0, 1.0, 1.0, 1.0, 0.0], values))
    torch.testing.assert_close(found, torch.from_numpy(deviations / 2))
    far = heights(_task([1.0] + [0.0] * 20, [30.0] + [5.0 + i / 100 for i in range(20)]))
    assert far[0] == 1.5


def test_heights_turn_with_the_labels_and_fall_back_on_them() -> None:
    values = [9.0, 8.0, 7.5, 7.0, 6.0, math.nan]
    found = heights(_task([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], values))
    assert found[:5].tolist() == sorted(found[:5].tolist())
    assert found[5] == 1.0
    assert heights(_task([1.0, 0.0], [5.0, 6.0])).tolist() == [1.0, -1.0]
