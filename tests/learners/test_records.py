"""Records of a memory against hand numbers."""

import math

import pytest
import torch

from molmeta.learners.records import Records


@pytest.fixture
def records() -> Records:
    """Of three molecules, the second of which nobody knows."""
    return Records(
        n=3,
        known=torch.tensor([0, 2]),
        owners=torch.tensor([0, 0, 1]),
        assays=torch.tensor([5, 9, 9]),
        grades=torch.tensor([1.0, -0.5, 0.5], dtype=torch.float64),
    )


def test_counts_and_means_are_of_each_known_molecule(records: Records) -> None:
    assert records.counts.tolist() == [2, 1]
    assert records.means.tolist() == pytest.approx([0.5 / 3, 0.5 / 2])


def test_scaled_grades_are_without_the_mean_and_shrunk_by_few_entries(records: Records) -> None:
    expected = [(1 - 1 / 6) / math.sqrt(6), (-0.5 - 1 / 6) / math.sqrt(6), 0.25 / math.sqrt(5)]
    assert records.scaled.tolist() == pytest.approx(expected)


def test_profiles_have_a_column_for_each_assay(records: Records) -> None:
    matrix, assays = records.profiles
    assert assays.tolist() == [5, 9]
    first, second, third = records.scaled.tolist()
    assert matrix.tolist() == [[first, second], [0.0, third]]


def test_what_was_asked_for_and_not_measured_is_nothing(records: Records) -> None:
    entries, places = records.among(torch.tensor([1, 9]))
    assert entries.tolist() == [1, 2]
    assert places.tolist() == [1, 1]
    matrix = records.matrix(records.grades, torch.tensor([1, 9, 12]))
    assert matrix.tolist() == [[0.0, -0.5, 0.0], [0.0, 0.5, 0.0]]


def test_molecules_that_are_not_known_have_zeros(records: Records) -> None:
    assert records.spread(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [
        [1.0, 2.0],
        [0.0, 0.0],
        [3.0, 4.0],
    ]
