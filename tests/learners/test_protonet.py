"""ProtoNet against hand numbers."""

import math

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError, SupportError
from molmeta.learners.base import Embedded
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig, prototypes, shrunk_precision

TINY = EncoderConfig(graph=False, ecfp=False, hidden=8, dim=2)
VECTORS = torch.tensor([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
LABELS = torch.tensor([0.0, 0.0, 1.0, 1.0])


def test_prototypes_are_class_means_inactive_first() -> None:
    means = prototypes(VECTORS, LABELS)
    torch.testing.assert_close(means, torch.tensor([[0.0, 1.0], [4.0, 1.0]]))


def test_prototypes_of_one_class_are_refused_rather_than_swapped() -> None:
    with pytest.raises(SupportError, match="inactive"):
        prototypes(VECTORS, torch.ones(4))


def test_the_precision_inverts_the_shrunk_covariance() -> None:
    # Class 0: covariance diag(0, 2); all four: diag(16/3, 4/3); λ = 2/3.
    precision = shrunk_precision(VECTORS, LABELS == 0, ridge=0.1)
    expected = torch.diag(1 / torch.tensor([16 / 9 + 0.1, 4 / 3 + 4 / 9 + 0.1]))
    torch.testing.assert_close(precision, expected)


def test_the_precision_of_a_class_of_one_is_finite() -> None:
    members = torch.tensor([True, False, False, False])
    assert shrunk_precision(VECTORS, members, ridge=0.1).isfinite().all()


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_the_euclidean_logit_is_the_difference_of_squared_distances(
    prior: float, batch: MoleculeBatch
) -> None:
    learner = ProtoNet(TINY, ProtoNetConfig(distance="euclidean", class_prior=prior)).eval()
    support = Embedded(VECTORS[:3], batch.gather(torch.arange(3)))
    head = learner.fit_head(support, LABELS[:3])
    query = Embedded(torch.tensor([[1.0, 1.0], [4.0, 0.0]]), batch.gather(torch.arange(2)))
    # Prototypes (0, 1) and (4, 0), two dimensions, temperature e^1.5; (1 + 1) actives to (2 + 1).
    distances = math.exp(1.5) * torch.tensor([(1 - 10) / 2, (17 - 0) / 2])
    expected = distances + prior * math.log(2 / 3)
    torch.testing.assert_close(head(query).logit, expected)


def test_settings_that_cannot_be_computed_are_refused() -> None:
    with pytest.raises(ConfigError, match="distance"):
        ProtoNetConfig(distance="cosine")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="ridge"):
        ProtoNetConfig(ridge=0.0)
