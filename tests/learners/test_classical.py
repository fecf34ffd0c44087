"""Classifiers on counts against scikit-learn on RDKit's own fingerprints."""

import numpy as np
import pytest
import torch
from rdkit.Chem import rdFingerprintGenerator
from sklearn.linear_model import LogisticRegression as Regression
from sklearn.neighbors import KNeighborsClassifier

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.intake import Molecule
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.classical import (
    EuclideanNeighbours,
    EuclideanNeighboursConfig,
    LogisticRegression,
    LogisticRegressionConfig,
)
from tests.learners.conftest import N_SUPPORT


def knn(**settings: int) -> EuclideanNeighbours:
    return EuclideanNeighbours(EncoderConfig(), EuclideanNeighboursConfig(**settings))


@pytest.fixture(scope="module")
def counts(molecules: list[Molecule]) -> np.ndarray:
    """The fingerprints that FS-Mol's files hold, of the drugs: [97, 2048]."""
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return np.array([morgan.GetCountFingerprintAsNumPy(m.mol) for m in molecules[:97]], float)


def test_neighbours_vote_as_scikit_learns(counts, labels, support, query):
    # Not `adapt`, which sorts the support: among equally far compounds the first ones vote.
    found = knn()._adapt(support)(query).probability.numpy()
    model = KNeighborsClassifier(4).fit(counts[:N_SUPPORT], labels[:N_SUPPORT])
    share = model.predict_proba(counts[N_SUPPORT:])[:, 1]
    np.testing.assert_allclose(found, (4 * share + 1) / 6, rtol=1e-5)


def test_a_support_smaller_than_the_neighbourhood_votes_as_a_whole(drugs):
    support = LabeledMolecules(drugs.gather(torch.arange(3)), torch.tensor([1.0, 0.0, 1.0]))
    found = knn().adapt(support)(drugs).probability
    torch.testing.assert_close(found, torch.full_like(found, 3 / 5))


def test_the_regression_is_scikit_learns(counts, labels, support, query):
    learner = LogisticRegression(EncoderConfig(), LogisticRegressionConfig(inverse_penalty=0.3))
    model = Regression(C=0.3, max_iter=1000).fit(counts[:N_SUPPORT], labels[:N_SUPPORT])
    expected = model.decision_function(counts[N_SUPPORT:])
    np.testing.assert_allclose(learner.adapt(support)(query).logit, expected, atol=2e-3)


@pytest.mark.parametrize(
    ("config", "settings", "found"),
    [
        (EuclideanNeighboursConfig, {"neighbours": 0}, "at least 1, not 0"),
        (LogisticRegressionConfig, {"inverse_penalty": 0.0}, "above 0, not 0.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(config, settings, found):
    with pytest.raises(ConfigError, match=found):
        config(**settings)
