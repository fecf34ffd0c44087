"""Prototypes and their metric against hand numbers and scikit-learn's discriminant."""

import math

import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from molmeta.errors import SupportError
from molmeta.learners.prototypes import ClassMetric, class_log_odds, prototypes

VECTORS = torch.tensor([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
LABELS = torch.tensor([0.0, 0.0, 1.0, 1.0])


def test_prototypes_are_class_means_inactive_first() -> None:
    means = prototypes(VECTORS, LABELS)
    torch.testing.assert_close(means, torch.tensor([[0.0, 1.0], [4.0, 1.0]]))


def test_prototypes_of_one_class_are_refused_rather_than_swapped() -> None:
    with pytest.raises(SupportError, match="inactive"):
        prototypes(VECTORS, torch.ones(4))


def test_class_log_odds_count_one_more_of_each() -> None:
    assert float(class_log_odds(torch.tensor([1.0, 0.0, 0.0]))) == pytest.approx(math.log(2 / 3))


def test_the_metric_takes_the_spread_within_the_classes_for_no_difference() -> None:
    # Within the classes Σ = diag(0, 4 / 2); a coordinate's mean square is (32 + 8) / 8 = 5; the
    # ridge for four compounds 8² times that for 32.
    metric = ClassMetric.of(VECTORS, LABELS, ridge=1 / 64)
    expected = torch.diag(1 / torch.tensor([1.0, 1 + 2 / 5]))
    torch.testing.assert_close(metric(torch.eye(2)), expected)


def test_the_metric_of_few_compounds_is_euclids() -> None:
    vectors = torch.randn(3, 8)
    for rows in ([0, 1], [0, 1, 2]):
        labels = (torch.tensor(rows) == 0).float()
        metric = ClassMetric.of(vectors[rows], labels, ridge=1e6)
        torch.testing.assert_close(metric(vectors), vectors, atol=1e-4, rtol=0)
        assert ClassMetric.of(vectors[rows], labels, 10.0)(vectors).isfinite().all()


def test_the_metric_does_not_depend_on_the_length_of_the_embeddings() -> None:
    vectors, labels = torch.randn(20, 8), (torch.arange(20) % 3 == 0).float()
    metrics = [ClassMetric.of(factor * vectors, labels, 1.0) for factor in (1.0, 5.0)]
    torch.testing.assert_close(metrics[0](vectors), metrics[1](vectors))


def test_the_difference_of_the_prototypes_in_the_metric_is_the_discriminant() -> None:
    vectors, labels = torch.randn(40, 6).double(), (torch.arange(40) % 3 == 0).double()
    slope = ClassMetric.of(vectors, labels, ridge=1e-9)(prototypes(vectors, labels).diff(dim=0))[0]
    discriminant = LinearDiscriminantAnalysis(solver="lsqr").fit(vectors.numpy(), labels.numpy())
    expected = torch.from_numpy(discriminant.coef_[0])
    cosine = slope @ expected / (slope.norm() * expected.norm())
    assert float(cosine) == pytest.approx(1, abs=1e-6)
