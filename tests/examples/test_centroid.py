"""The learner that the documentation begins with is one."""

import importlib.util
import sys

import pytest
import torch

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from tests.cli.conftest import ROOT
from tests.tiny_model import LABELS, LIKE_ACTIVES, LIKE_INACTIVES, SUPPORT


@pytest.fixture
def centroid():
    spec = importlib.util.spec_from_file_location("centroid", ROOT / "examples" / "centroid.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["centroid"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["centroid"]


def molecules(*texts: str):
    return featurize([read_smiles(text) for text in texts])


def test_it_ranks_by_the_nearer_centroid_whatever_the_order(centroid) -> None:
    encoder = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)
    learner = centroid.Centroid(encoder, centroid.CentroidConfig()).eval()
    labels = torch.tensor(LABELS, dtype=torch.float32)
    support = LabeledMolecules(molecules(*SUPPORT), labels)
    query = molecules(LIKE_ACTIVES, LIKE_INACTIVES)
    logit = learner.adapt(support)(query).logit
    assert logit[0] > logit[1]
    order = torch.arange(len(SUPPORT) - 1, -1, -1)
    reversed_support = LabeledMolecules(support.molecules.gather(order), labels[order])
    assert torch.equal(learner.adapt(reversed_support)(query).logit, logit)
    logit.sum().backward()
    assert next(learner.encoder.parameters()).grad is not None


def test_a_scale_that_cannot_rank_is_refused(centroid) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        centroid.CentroidConfig(scale=0)
