"""The baselines against scikit-learn, RDKit and SciPy."""

import math

import numpy as np
import pytest
import torch
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.optimize import minimize_scalar
from scipy.special import ndtr
from scipy.stats import multivariate_normal
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.baselines import (
    NearestNeighbours,
    NearestNeighboursConfig,
    RandomForest,
    RandomForestConfig,
    TanimotoGP,
    TanimotoGPConfig,
)
from tests.learners.conftest import N_SUPPORT


def knn(**settings: float) -> NearestNeighbours:
    return NearestNeighbours(EncoderConfig(), NearestNeighboursConfig(**settings))


def gp(**settings: float) -> TanimotoGP:
    return TanimotoGP(EncoderConfig(), TanimotoGPConfig(**settings))


def batch_of(*texts: str) -> MoleculeBatch:
    return featurize([read_smiles(text) for text in texts])


@pytest.fixture(scope="module")
def similarity(molecules: list[Molecule]) -> np.ndarray:
    """RDKit's own Tanimoto similarity of the drugs' unfolded ECFP4 counts."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    prints = [generator.GetSparseCountFingerprint(m.mol) for m in molecules[:97]]
    return np.array([DataStructs.BulkTanimotoSimilarity(one, prints) for one in prints])


@pytest.mark.parametrize(
    "learner", [knn(), gp(), RandomForest(EncoderConfig(), RandomForestConfig())]
)
def test_a_rule_that_fingerprints_can_tell_is_learned(learner, drugs, labels):
    rows = torch.arange(64)
    support = LabeledMolecules(drugs.gather(rows), torch.tensor(labels[:64]).float())
    logit = learner.adapt(support)(drugs.gather(torch.arange(64, len(drugs)))).logit
    assert roc_auc_score(labels[64:], logit) > 0.7


def test_the_forest_votes_as_scikit_learns_on_rdkits_folded_counts(
    molecules, labels, support, query
):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    counts = np.array([generator.GetCountFingerprintAsNumPy(m.mol) for m in molecules[:97]])
    forest = RandomForestClassifier(50, max_features=None, min_samples_leaf=2, random_state=0)
    forest.fit(counts[:N_SUPPORT], labels[:N_SUPPORT])
    share = forest.predict_proba(counts[N_SUPPORT:])[:, 1]

    learner = RandomForest(EncoderConfig(), RandomForestConfig(trees=50))
    # Not `adapt`, which sorts the support: a forest depends on the order of its rows.
    probability = learner._adapt(support)(query).probability.numpy()
    np.testing.assert_allclose(probability, (50 * share + 1) / 52, rtol=1e-5)


def test_neighbours_vote_with_rdkits_similarity(labels, support, query, similarity):
    probability = knn(neighbours=4).adapt(support)(query).probability.numpy()
    share_active = (labels[:N_SUPPORT].sum() + 1) / (N_SUPPORT + 2)
    for i, found in enumerate(probability):
        to_support = similarity[N_SUPPORT + i, :N_SUPPORT]
        voters = to_support >= np.sort(to_support)[-4] - 1e-12
        active = to_support[voters] @ labels[:N_SUPPORT][voters] + 0.1 * share_active
        assert found == pytest.approx(active / (to_support[voters].sum() + 0.1), rel=1e-5)


def test_more_neighbours_than_compounds_means_all_compounds(support, query):
    everyone = knn(neighbours=N_SUPPORT).adapt(support)(query).logit
    assert torch.equal(knn(neighbours=1000).adapt(support)(query).logit, everyone)


def test_equally_near_neighbours_all_vote():
    support = LabeledMolecules(
        batch_of("CCO", "CCO", "CCN", "c1ccccc1"), torch.tensor([1.0, 0.0, 0.0, 1.0])
    )
    predict = knn(neighbours=1, prior=1e-9).adapt(support)
    assert predict(batch_of("OCC")).probability.item() == pytest.approx(0.5)
    assert predict(batch_of("CCN")).probability.item() == pytest.approx(0.0, abs=1e-6)


def test_a_molecule_unlike_all_others_gets_the_shrunken_share_of_actives():
    support = LabeledMolecules(
        batch_of("CCO", "CCN", "CCCO", "CCCN"), torch.tensor([1.0, 0.0, 0.0, 0.0])
    )
    alien = batch_of("c1ccsc1")
    assert knn().adapt(support)(alien).probability.item() == pytest.approx(2 / 6)
    # The process falls back to its mean, (1 - 3) / (4 + 2), with all of its variance.
    prediction = gp(steps=1, least_noise=1.0).adapt(support)(alien)
    assert prediction.logit.item() < 0
    assert prediction.deviation.item() == pytest.approx(math.sqrt(8 / math.pi / 2), rel=1e-5)


def evidence(amplitude: float, noise: float, kernel: np.ndarray, targets: np.ndarray) -> float:
    """Log marginal likelihood of the targets, by SciPy."""
    covariance = amplitude * (kernel + noise * np.eye(len(kernel)))
    return float(multivariate_normal.logpdf(targets, cov=covariance))


def best_amplitude(noise: float, kernel: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """The most likely amplitude, by numerical search, and its evidence."""
    found = minimize_scalar(
        lambda log: -evidence(math.exp(log), noise, kernel, targets), bracket=(-2.0, 1.0), tol=1e-10
    )
    return math.exp(found.x), -found.fun


def test_the_gaussian_process_gives_the_textbook_posterior(labels, support, query, similarity):
    targets = 2 * labels[:N_SUPPORT] - 1
    mean = targets.sum() / (N_SUPPORT + 2)
    kernel = similarity[:N_SUPPORT, :N_SUPPORT]
    cross = similarity[:N_SUPPORT, N_SUPPORT:]
    amplitude, _ = best_amplitude(0.5, kernel, targets - mean)
    inverse = np.linalg.inv(amplitude * (kernel + 0.5 * np.eye(N_SUPPORT)))
    f = mean + amplitude * cross.T @ inverse @ (targets - mean)
    variance = amplitude - amplitude**2 * np.einsum("ij,ik,kj->j", cross, inverse, cross)
    z = f / np.sqrt(variance + amplitude * 0.5)

    prediction = gp(least_noise=0.5, steps=1).adapt(support)(query)
    np.testing.assert_allclose(prediction.logit, math.sqrt(8 / math.pi) * z, atol=1e-5)
    deviation = math.sqrt(8 / math.pi) * np.sqrt(variance / (variance + amplitude * 0.5))
    np.testing.assert_allclose(prediction.deviation, deviation, atol=1e-5)
    # The log odds stand for the probit's probability, to within the two curves' distance.
    np.testing.assert_allclose(prediction.probability, ndtr(z), atol=0.02)


def test_the_gaussian_process_takes_the_noise_of_most_evidence(drugs, labels, query, similarity):
    # Every compound measured twice, and every fifth with two results: noise that cannot be missed.
    rows = np.arange(N_SUPPORT).repeat(2)
    doubled = labels[rows].copy()
    doubled[::10] = 1 - doubled[::10]
    support = LabeledMolecules(drugs.gather(torch.tensor(rows)), torch.tensor(doubled).float())
    targets = 2 * doubled - 1
    centred = targets - targets.sum() / (len(rows) + 2)
    kernel = similarity[np.ix_(rows, rows)]
    levels = np.geomspace(0.05, 20, 9)
    best = max(levels, key=lambda noise: best_amplitude(noise, kernel, centred)[1])
    assert levels[0] < best < levels[-1]
    chosen = gp(least_noise=0.05, most_noise=20, steps=9).adapt(support)(query).logit
    alone = gp(least_noise=float(best), most_noise=float(best), steps=1).adapt(support)(query).logit
    torch.testing.assert_close(chosen, alone, atol=1e-5, rtol=1e-5)


def test_the_gaussian_process_is_surer_of_what_it_has_seen(support, query):
    predict = gp().adapt(support)
    assert predict(support.molecules).deviation.mean() < predict(query).deviation.mean()


@pytest.mark.parametrize(
    ("config", "settings", "found"),
    [
        (RandomForestConfig, {"trees": 0}, "learner.trees must be at least 1, not 0"),
        (RandomForestConfig, {"least_leaf": 0}, "learner.least_leaf must be at least 1, not 0"),
        (RandomForestConfig, {"bits": 1000}, "power of two, not 1000"),
        (NearestNeighboursConfig, {"neighbours": 0}, "at least 1, not 0"),
        (NearestNeighboursConfig, {"prior": 0.0}, "above 0, not 0.0"),
        (TanimotoGPConfig, {"least_noise": 0.0}, "above 0"),
        (TanimotoGPConfig, {"most_noise": 0.01}, "no more than most_noise, not 0.1 and 0.01"),
        (TanimotoGPConfig, {"steps": 0}, "at least 1, not 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(config, settings, found):
    with pytest.raises(ConfigError, match=found):
        config(**settings)
