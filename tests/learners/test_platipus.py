"""PLATIPUS against ANIL, torch.distributions and its algorithms written out."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.maml import ANIL, ANILConfig
from molmeta.learners.platipus import DiagonalGaussian, Platipus, PlatipusConfig

# The fingerprint and the descriptors are float32 by contract; the graph follows its weights.
ENCODER = EncoderConfig(
    ecfp=False, descriptors=False, graph_layers=2, graph_width=8, hidden=16, dim=8, dropout=0.0
)
RATE = 0.4


def make_platipus(**settings: object) -> Platipus:
    torch.manual_seed(0)
    return Platipus(ENCODER, PlatipusConfig(**{"head_lr": RATE, **settings})).double()


@pytest.fixture
def support(drugs: MoleculeBatch) -> LabeledMolecules:
    rows = torch.arange(16)
    return LabeledMolecules(drugs.gather(rows), (rows % 3 == 0).double())


@pytest.fixture
def query(drugs: MoleculeBatch) -> MoleculeBatch:
    return drugs.gather(torch.arange(16, 30))


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_without_variance_it_is_anil_with_one_more_step(
    head_init: str, support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_platipus(inner_steps=2, head_init=head_init)
    nn.init.constant_(learner.prior.log_deviation, -math.inf)
    # The step from the mean to the prior's, then two of the inner loop.
    anil = ANIL(ENCODER, ANILConfig(inner_steps=3, head_lr=RATE, head_init=head_init)).double()
    shared = {n: t for n, t in learner.state_dict().items() if n.startswith(("encoder.", "head."))}
    anil.load_state_dict({**anil.state_dict(), **shared})
    prediction = learner.adapt(support)(query)
    torch.testing.assert_close(prediction.logit, anil.adapt(support)(query).logit)
    torch.testing.assert_close(prediction.deviation, torch.zeros_like(prediction.deviation))


def descended(
    weight: Tensor, bias: Tensor, features: Tensor, labels: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Gradient descent on the mean cross-entropy of a linear head, its gradient by hand."""
    for _ in range(steps):
        residuals = torch.sigmoid(features @ weight + bias) - labels
        weight = weight - RATE * features.T @ residuals / len(labels)
        bias = bias - RATE * residuals.mean()
    return weight, bias


def test_prediction_averages_the_probabilities_of_heads_drawn_about_the_prior(
    support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_platipus(inner_steps=2, samples=6, deviation=0.5)
    features = learner.head.features(learner.encoder(support.molecules)).detach()
    others = learner.head.features(learner.encoder(query)).detach()
    start = {n: t.detach() for n, t in learner.head.start(features, support.labels).items()}
    weight, bias = descended(*start.values(), features, support.labels, steps=1)

    half = torch.randn(3, 9, generator=torch.Generator().manual_seed(0)).double()
    logits = []
    for noise in (*half, *-half):
        drawn = descended(
            weight + 0.5 * noise[:-1], bias + 0.5 * noise[-1], features, support.labels, steps=2
        )
        logits.append(others @ drawn[0] + drawn[1])
    logits = torch.stack(logits)
    prediction = learner.adapt(support)(query)
    torch.testing.assert_close(prediction.probability, torch.sigmoid(logits).mean(0))
    torch.testing.assert_close(prediction.deviation, logits.std(0, correction=0))
    assert prediction.deviation.min() > 0.01


def test_the_meta_loss_is_the_query_loss_of_a_draw_and_its_divergence(
    drugs: MoleculeBatch,
) -> None:
    learner = make_platipus(inner_steps=2, head_init="learned")
    rows = torch.arange(18)
    labels = (rows % 3 == 0).double()
    episodes = EpisodeBatch(drugs.gather(rows), labels, (rows[:12],), (rows[12:],), ("a",))
    with torch.no_grad():
        for parameter in learner.head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        learner.posterior.log_deviation.sub_(0.7)
    torch.manual_seed(3)
    loss = learner.meta_loss(episodes)

    torch.manual_seed(3)
    noise = torch.randn(9, dtype=torch.float64)
    with torch.no_grad():
        features = learner.head.features(learner.encoder(episodes.molecules))
        seen, asked, known, hidden = features[:12], features[12:], labels[:12], labels[12:]
        # Four of twelve are active; one of each class is added.
        start = (learner.head.weight, learner.head.bias + math.log(5 / 9))
        prior = torch.cat([part.reshape(-1) for part in descended(*start, seen, known, 1)])
        posterior = torch.cat([part.reshape(-1) for part in descended(*start, asked, hidden, 1)])
        deviation = 0.1 * math.exp(-0.7)
        drawn = posterior + deviation * noise
        weight, bias = descended(drawn[:-1], drawn[-1], seen, known, 2)
        level, growth = learner.head.temperature.law
        logits = torch.exp(level + growth * math.log(12 / 32)) * (asked @ weight + bias)
        error = nn.functional.binary_cross_entropy_with_logits(logits, hidden)
        divergence = kl_divergence(Normal(posterior, deviation), Normal(prior, 0.1)).sum()
    torch.testing.assert_close(loss.detach(), error + divergence / 6)


def test_divergence_equals_that_of_torch() -> None:
    ours, other = DiagonalGaussian(5, 0.3).double(), DiagonalGaussian(5, 0.3).double()
    for gaussian in (ours, other):
        nn.init.normal_(gaussian.log_deviation)
    means = torch.randn(2, 5, dtype=torch.float64)
    expected = kl_divergence(
        Normal(means[0], ours.log_deviation.exp()), Normal(means[1], other.log_deviation.exp())
    )
    torch.testing.assert_close(ours.divergence(means[0], other, means[1]), expected.sum())
    assert ours.divergence(means[0], ours, means[0]).item() == pytest.approx(0, abs=1e-12)


def test_equal_supports_give_equal_numbers_whatever_was_drawn_before(
    support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_platipus()
    for training in (True, False):
        predictions = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            predictions.append(learner.train(training).adapt(support)(query))
        assert torch.equal(predictions[0].logit, predictions[1].logit)
        assert torch.equal(predictions[0].deviation, predictions[1].deviation)


def test_a_wider_prior_spreads_the_predictions(
    support: LabeledMolecules, query: MoleculeBatch
) -> None:
    narrow, wide = (
        make_platipus(deviation=deviation).adapt(support)(query).deviation.mean()
        for deviation in (0.05, 0.5)
    )
    assert wide > 5 * narrow


def test_a_logit_far_out_is_finite() -> None:
    learner = make_platipus(head_lr=1.0, deviation=1e-6).float()
    with torch.no_grad():
        learner.head.log_radius.fill_(4.0)
    vectors = torch.eye(8)
    head = learner.fit_head(
        Embedded(vectors[:2], None),  # type: ignore[arg-type]
        torch.tensor([1.0, 0.0]),
    )
    logit = head(Embedded(vectors[:2], None)).logit  # type: ignore[arg-type]
    assert logit[0] > 100
    assert logit[1] < -100
    assert torch.isfinite(logit).all()


@pytest.mark.parametrize(
    "settings", [{"samples": 0}, {"samples": 5}, {"deviation": 0.0}, {"head_lr": 0.0}]
)
def test_settings_that_cannot_adapt_are_refused(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=name):
        PlatipusConfig(**settings)
