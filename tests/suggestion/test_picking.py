"""The order of picking: prospects, near copies, and doubt that earlier picks will settle."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from molmeta.learners.parts import Joint
from molmeta.suggestion.picking import picked_places


def belief(
    mean: list[float], covariance: list[list[float]] | None = None, noise: float = 0.1
) -> Joint:
    n = len(mean)
    matrix = torch.tensor(covariance) if covariance else torch.zeros(n, n)
    return Joint(torch.tensor(mean).double(), matrix.double(), torch.tensor(noise).double())


def alike(pairs: dict[tuple[int, int], float], n: int) -> Callable[[int], Tensor]:
    matrix = torch.eye(n)
    for (i, j), value in pairs.items():
        matrix[i, j] = matrix[j, i] = value
    return lambda place: matrix[place]


def test_without_doubt_the_best_come_first() -> None:
    picks = picked_places(belief([0.1, 0.9, 0.5]), alike({}, 3), 2)
    assert [place for place, _ in picks] == [1, 2]
    assert len(picked_places(belief([0.1, 0.9]), alike({}, 2), 24)) == 2


def test_a_near_copy_of_a_pick_waits_until_nothing_else_is_left() -> None:
    similarity = alike({(0, 1): 0.95, (0, 2): 0.2}, 3)
    picks = picked_places(belief([0.9, 0.8, 0.1]), similarity, 3, max_similarity=0.9)
    assert [place for place, _ in picks] == [0, 2, 1]
    assert [near for _, near in picks] == pytest.approx([0.0, 0.2, 0.95])


def test_doubt_counts_until_an_earlier_pick_will_have_settled_it() -> None:
    # 0 and 1 vary together; 2 is a little worse, and independent of them.
    covariance = [[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]]
    mean = [0.5, 0.45, 0.4]
    hopeful = picked_places(belief(mean, covariance), alike({}, 3), 3, optimism=1.0)
    assert [place for place, _ in hopeful] == [0, 2, 1]
    plain = picked_places(belief(mean, covariance), alike({}, 3), 3, optimism=0.0)
    assert [place for place, _ in plain] == [0, 1, 2]


def test_the_deviation_left_is_that_of_a_gaussian_process_with_the_picks_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    covariance, noise = half @ half.T, 0.3
    order = [place for place, _ in picked_places(
        Joint(torch.zeros(5).double(), covariance, torch.tensor(noise).double()),
        alike({}, 5), 3, optimism=1.0,
    )]  # fmt: skip
    expected: list[int] = []
    for _ in range(3):
        cross = covariance[expected]
        known = covariance[expected][:, expected] + noise * torch.eye(len(expected)).double()
        left = covariance - cross.T @ torch.linalg.solve(known, cross)
        variance = left.diagonal().clone()
        variance[expected] = -1
        expected.append(int(variance.argmax()))
    assert order == expected
