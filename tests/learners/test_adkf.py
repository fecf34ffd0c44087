"""ADKF against scikit-learn's posterior and finite differences."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.adkf import ADKF, ADKFConfig, Fitted
from molmeta.learners.base import Embedded
from molmeta.learners.marginal_likelihood import Evidence, fitted
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.value_scale import ValueScale

TINY = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)


def embedded(learner: ADKF, batch: MoleculeBatch, start: int, end: int) -> Embedded:
    with torch.no_grad():
        return learner.embed(batch.gather(torch.arange(start, end)))


def test_the_score_follows_its_gradient_through_the_fit(batch: MoleculeBatch) -> None:
    torch.manual_seed(0)
    learner = ADKF(TINY, ADKFConfig())
    support, query = embedded(learner, batch, 0, 12), embedded(learner, batch, 12, 40)
    labels = (torch.arange(12) % 3 == 0).float()
    direction = torch.randn_like(support.vectors)

    def total(step: float | Tensor) -> Tensor:
        moved = torch.nn.functional.normalize(support.vectors + step * direction, dim=1)
        head = learner.fit_head(Embedded(moved, support.molecules), labels)
        return head(query).logit.double().sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(total(step), step)
    difference = (total(1e-3) - total(-1e-3)) / 2e-3
    assert gradient.item() == pytest.approx(difference.item(), rel=1e-2)


def test_the_logit_is_the_log_odds_of_the_two_labels_under_scikit_learns_posterior(
    batch: MoleculeBatch,
) -> None:
    learner = ADKF(TINY, ADKFConfig(tanimoto=1e-12, prior_deviation=0.5)).eval()
    support, query = embedded(learner, batch, 0, 12), embedded(learner, batch, 12, 40)
    labels = torch.tensor([1.0, 0.0] * 6)  # the prior mean is 0
    with torch.no_grad():
        prediction = learner.fit_head(support, labels)(query)
        pairs = learner.pairs(support, support, learner.memory)
        targets = 2 * labels.double() - 1
        point = fitted(Evidence(pairs, targets, learner.expected(pairs, learner.settings), 0.5))
    length, noise, learned, _ = point.exp().tolist()
    kernel = ConstantKernel(learned) * Matern(length, nu=2.5) + WhiteKernel(noise)
    process = GaussianProcessRegressor(kernel, alpha=1e-4, optimizer=None)
    process.fit(support.vectors.numpy(), targets.numpy())
    mean, deviation = process.predict(query.vectors.numpy(), return_std=True)
    # Of the label: scikit-learn counts the white kernel in, and not alpha.
    label = torch.distributions.Normal(
        torch.from_numpy(mean), torch.from_numpy(np.sqrt(deviation**2 + 1e-4))
    )
    odds = label.log_prob(torch.ones(28)) - label.log_prob(-torch.ones(28))
    np.testing.assert_allclose(prediction.logit, odds, atol=1e-4)
    own = torch.from_numpy(np.sqrt(deviation**2 - noise))
    np.testing.assert_allclose(prediction.deviation, 2 * own / label.variance, atol=1e-4)


def test_labels_that_follow_structure_are_fitted_with_less_noise(batch: MoleculeBatch) -> None:
    learner = ADKF(TINY, ADKFConfig()).eval()
    support = embedded(learner, batch, 0, 40)
    first = support.vectors[:, 0]
    smooth = (first > first.median()).double() * 2 - 1
    noise = {}
    for name, labels in (("smooth", smooth), ("random", smooth[torch.randperm(40)])):
        with torch.no_grad():
            pairs = learner.pairs(support, support, learner.memory)
            noise[name] = fitted(
                Evidence(pairs, labels, learner.expected(pairs, learner.settings), 0.5)
            )[1].exp()
    assert noise["smooth"] < 0.8 * noise["random"]


def test_copies_of_two_compounds_leave_some_noise(drugs: MoleculeBatch) -> None:
    # Without a floor the likelihood of consistent copies drives the noise to nothing.
    learner = ADKF(TINY, ADKFConfig(prior_deviation=2.0)).eval()
    support = embedded(learner, drugs, 0, 2).gather(torch.tensor([0, 1]).repeat(128))
    with torch.no_grad():
        head = learner.fit_head(support, torch.tensor([0.0, 1.0]).repeat(128))
        logit = head(embedded(learner, drugs, 0, 20)).logit
    assert torch.isfinite(logit).all()
    assert logit[0] < 0 < logit[1]


def test_a_memory_brings_a_hyperparameter_of_its_own(batch: MoleculeBatch) -> None:
    learner = ADKF(TINY, ADKFConfig(memory=0.5)).eval()
    support = embedded(learner, batch, 0, 12)
    pairs = learner.pairs(support, support, None)
    assert len(learner.expected(pairs, learner.settings)) == 4
    learner.memory = CompoundMemory(
        keys=batch.keys[:2].sort().values,
        offsets=torch.tensor([0, 1, 2]),
        assays=torch.tensor([7, 7], dtype=torch.int32),
        grades=torch.tensor([0.5, -0.5], dtype=torch.float16),
        heights=torch.tensor([0.5, -0.5], dtype=torch.float16),
    )
    pairs = learner.pairs(support, support, learner.memory)
    assert learner.expected(pairs, learner.settings)[4].exp().item() == pytest.approx(0.5)
    known = learner.memory.kernel(support.molecules, support.molecules)
    assert torch.equal(pairs.similarities[1], known)
    assert known[0, 1] < 0 < known[0, 0]
    now = Fitted(learner.expected(pairs, learner.settings), torch.tensor(0.4))
    own = learner.own_kernel(support.molecules, now, learner.memory)
    torch.testing.assert_close(own, 2.3 + 0.5 * known.diagonal())


@pytest.mark.parametrize("name", ["length", "noise", "prior_deviation"])
def test_settings_without_a_logarithm_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"learner.{name}"):
        ADKFConfig(**{name: 0.0})


def test_values_have_scikit_learns_posterior_and_bounds_move_it(batch: MoleculeBatch) -> None:
    learner = ADKF(TINY, ADKFConfig(tanimoto=1e-12)).eval()
    support, query = embedded(learner, batch, 0, 13), embedded(learner, batch, 13, 40)
    values, measured = torch.linspace(4, 9, 13).sin() + 6, torch.zeros(13, dtype=torch.int8)
    with torch.no_grad():
        head = learner.fit_value_head(support, values, measured)
        prediction = head(query)
    length, noise, learned, _ = head.process.now.hyperparameters.exp().tolist()
    kernel = ConstantKernel(learned) * Matern(length, nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=noise + 1e-4, optimizer=None)
    scale = ValueScale.of(values)
    process.fit(support.vectors.numpy(), scale.shrink(values).numpy())
    expected, spread = process.predict(query.vectors.numpy(), return_std=True)
    restored = scale.restored(*map(torch.from_numpy, (expected, spread**2 + noise + 1e-4)))
    np.testing.assert_allclose(prediction.mean, restored.mean, atol=1e-4)
    np.testing.assert_allclose(prediction.deviation, restored.deviation, atol=1e-4)

    # The last is higher than its figure says: so is what is like it.
    bounded = measured.clone()
    bounded[-1] = 1
    with torch.no_grad():
        raised = learner.fit_value_head(support, values, bounded)(support)
        as_point = learner.fit_value_head(support, values, measured)(support)
    assert raised.mean[-1] > as_point.mean[-1]
