"""The fit of an Expectation against scikit-learn's ridge regression on the same rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from molmeta.assays.grades import grades
from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.errors import ConfigError
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.expectation import Expectation, expectation_of
from molmeta.learners.registry import LEARNERS
from molmeta.learners.weighted_tanimoto import features_of, slots
from molmeta.training.config import RunConfig
from molmeta.training.expectation import ExpectationConfig, fit_expectation
from tests.training.tiny import ENCODER, task, tiny_config


def _counts(molecules: MoleculeBatch) -> tuple[np.ndarray, np.ndarray]:
    """Which slots any molecule has [k], and how often each molecule has each: [n, k]."""
    features, owners = features_of(molecules)
    used, places = torch.unique(slots(features), return_inverse=True)
    counts = torch.zeros(len(molecules), len(used), dtype=torch.float64)
    counts.index_put_((owners, places), torch.ones(len(owners)).double(), accumulate=True)
    return used.numpy(), counts.numpy()


@pytest.fixture
def assays(drugs: MoleculeBatch) -> AssayStore:
    """Two assays that overlap, of 30 and of 60 compounds, and one again under another name."""
    labels = (torch.arange(97) % 3 == 0).float()
    tasks = (
        task("A", labels[:30], torch.arange(30)),
        task("B", labels[20:80].flip(0), torch.arange(20, 80)),
        task("C", labels[:30].flip(0), torch.arange(30)),
    )
    return AssayStore(tasks, drugs, {}, "1" * 64)


def test_it_is_ridge_regression_within_assays(drugs: MoleculeBatch, assays: AssayStore) -> None:
    expectation = Expectation()
    fit_expectation(expectation, assays, ExpectationConfig(50.0))

    used, counts = _counts(drugs)
    rows, targets, weights = [], [], []
    # A and C have the same compounds: a panel of two.
    for one, of_panel in zip(assays, (0.5, 1.0, 0.5), strict=True):
        mine, found = counts[one.molecules.numpy()], grades(one).numpy()
        rows.append(mine - mine.mean(0))
        targets.append(found - found.mean())
        weights.append(np.full(len(one), of_panel / len(one) ** 0.5))
    weighed = np.concatenate(weights)
    ridge = Ridge(alpha=50.0, fit_intercept=False, solver="svd")
    ridge.fit(np.concatenate(rows), np.concatenate(targets), weighed / weighed.mean())
    np.testing.assert_allclose(expectation.grades[used], ridge.coef_, atol=2e-5)
    untouched = np.setdiff1d(np.arange(len(expectation.grades)), used)
    assert not expectation.grades[untouched].any()
    np.testing.assert_allclose(expectation(drugs), counts @ ridge.coef_, atol=1e-3)


def test_what_all_assays_prefer_is_expected_of_strangers(
    learnable: AssayStore, drugs: MoleculeBatch
) -> None:
    first = learnable.tasks[0]
    halves = (torch.arange(0, len(first), 2), torch.arange(1, len(first), 2))
    known, others = (
        replace(
            first,
            molecules=first.molecules[half],
            labels=first.labels[half],
            log_values=first.log_values[half],
            relations=first.relations[half],
        )
        for half in halves
    )
    expectation = Expectation()
    fit_expectation(expectation, replace(learnable, tasks=(known,)), ExpectationConfig(5.0))
    expected = expectation(drugs.gather(others.molecules))
    active = others.labels == 1
    assert expected[active].mean() > expected[~active].mean() + 0.2


def test_only_a_deep_kernel_has_one() -> None:
    for name, kind in LEARNERS.items():
        if kind.trainable:
            learner = kind(ENCODER, kind.Config())  # type: ignore[call-arg]
            assert (expectation_of(learner) is not None) == isinstance(learner, DeepKernel), name


def test_settings_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expectation\.penalty"):
        ExpectationConfig(-1.0)
    with pytest.raises(ConfigError, match=r"expectation\.penalty must be 0"):
        replace(tiny_config("protonet"), expectation=ExpectationConfig(1.0))
    assert isinstance(tiny_config("deepkernel"), RunConfig)
