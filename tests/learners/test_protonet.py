"""ProtoNet against hand numbers."""

import math

import pytest
import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig

TINY = EncoderConfig(graph=False, ecfp=False, hidden=8, dim=2)
VECTORS = torch.tensor([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0]])
LABELS = torch.tensor([0.0, 0.0, 1.0])


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_the_logit_is_the_difference_of_squared_distances(
    prior: float, batch: MoleculeBatch
) -> None:
    learner = ProtoNet(TINY, ProtoNetConfig(ridge=0.01, class_prior=prior)).eval()
    support = Embedded(VECTORS, batch.gather(torch.arange(3)))
    head = learner.fit_head(support, LABELS)
    query = Embedded(torch.tensor([[1.0, 1.0], [4.0, 0.0]]), batch.gather(torch.arange(2)))
    # Prototypes (0, 1) and (4, 0). Within the classes the second coordinate varies by 2, where the
    # mean square of a coordinate is 20 / 6 and the ridge for three compounds (32 / 3)² / 100.
    second = 1 / (1 + 2 / (20 / 6) / ((32 / 3) ** 2 / 100))
    # Two dimensions, temperature e^1.5; (1 + 1) actives to (2 + 1).
    far, near = torch.tensor([1.0, 16 + second]), torch.tensor([9 + second, 0.0])
    expected = math.exp(1.5) * (far - near) / 2 + prior * math.log(2 / 3)
    torch.testing.assert_close(head(query).logit, expected)


def test_a_ridge_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="ridge"):
        ProtoNetConfig(ridge=0.0)
