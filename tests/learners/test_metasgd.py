"""Meta-SGD against MAML, hand numbers and finite differences."""

from dataclasses import replace

import pytest
import torch

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.maml import MAML, MAMLConfig
from molmeta.learners.metasgd import MetaSGD, MetaSGDConfig

# The fingerprint and the descriptors are float32 by contract; the graph follows its weights.
ENCODER = EncoderConfig(
    ecfp=False, descriptors=False, graph_layers=2, graph_width=8, hidden=16, dim=8, dropout=0.0
)
SETTINGS = {"inner_steps": 2, "head_lr": 0.5, "encoder_lr": 0.1}


def make_metasgd(**settings: object) -> MetaSGD:
    torch.manual_seed(0)
    return MetaSGD(ENCODER, MetaSGDConfig(**{**SETTINGS, **settings})).double()


@pytest.fixture
def support(drugs: MoleculeBatch) -> LabeledMolecules:
    rows = torch.arange(16)
    return LabeledMolecules(drugs.gather(rows), (rows % 3 == 0).double())


@pytest.fixture
def query(drugs: MoleculeBatch) -> MoleculeBatch:
    return drugs.gather(torch.arange(16, 30))


@pytest.fixture
def episodes(drugs: MoleculeBatch) -> EpisodeBatch:
    rows = torch.arange(16)
    labels = (rows % 3 == 0).double()
    return EpisodeBatch(drugs.gather(rows), labels, (rows[:10],), (rows[10:],), ("a",))


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_with_equal_rates_it_is_maml(
    head_init: str, support: LabeledMolecules, query: MoleculeBatch
) -> None:
    metasgd = make_metasgd(head_init=head_init)
    torch.nn.init.ones_(metasgd.multiples)
    maml = MAML(ENCODER, MAMLConfig(**SETTINGS, head_init=head_init)).double()
    shared = {n: t for n, t in metasgd.state_dict().items() if n != "multiples"}
    maml.load_state_dict({**maml.state_dict(), **shared})
    torch.testing.assert_close(
        metasgd.adapt(support)(query).logit, maml.adapt(support)(query).logit
    )


def test_each_unit_steps_by_its_own_rate_and_sign(support: LabeledMolecules) -> None:
    learner = make_metasgd(inner_steps=1)
    with torch.no_grad():
        learner.multiples.copy_(torch.randn(len(learner.multiples)))
    rates = learner.rates()
    start = learner.start(support)
    # The same numbers in the order of the parameters, one for each row or entry.
    assert list(rates) == list(start)
    counts = [1 if p.ndim == 0 else p.shape[0] for p in start.values()]
    by_name = dict(zip(start, learner.multiples.split(counts), strict=True))

    point = {name: value.detach().requires_grad_() for name, value in start.items()}
    gradients = torch.autograd.grad(learner.loss(point, support), list(point.values()))
    by_hand = {}
    for (name, value), gradient in zip(point.items(), gradients, strict=True):
        first = 0.5 if name.startswith("head.") else 0.1
        rows = [
            entry - first * multiple * slope
            for entry, multiple, slope in zip(
                value.reshape(counts[len(by_hand)], -1),
                by_name[name],
                gradient.reshape(counts[len(by_hand)], -1),
                strict=True,
            )
        ]
        by_hand[name] = torch.stack(rows).view(value.shape)
    adapted = learner.adapt(support)(support.molecules).logit
    torch.testing.assert_close(
        adapted, learner.head(by_hand, learner.features(by_hand, support.molecules))
    )


def test_a_negative_rate_climbs(support: LabeledMolecules) -> None:
    losses = []
    for sign in (1.0, -1.0):
        learner = make_metasgd(inner_steps=1).eval()
        torch.nn.init.constant_(learner.multiples, 0.1 * sign)
        logits = learner.adapt(support)(support.molecules).logit
        losses.append(
            torch.nn.functional.binary_cross_entropy_with_logits(logits, support.labels).item()
        )
    start = learner.loss(learner.start(support), support).item()
    assert losses[0] < start < losses[1]


def test_rates_start_between_half_and_all_of_those_in_the_settings() -> None:
    rates = make_metasgd(encoder_lr=0.01).rates()
    encoder = torch.cat([r.reshape(-1) for n, r in rates.items() if n.startswith("encoder.")])
    assert 0.005 <= encoder.min() < 0.0055
    assert 0.0095 < encoder.max() <= 0.01
    assert rates["head.weight"].shape == (8,)


def test_meta_gradient_of_the_rates_agrees_with_finite_differences(episodes: EpisodeBatch) -> None:
    learner = make_metasgd()
    learner.meta_loss(episodes).backward()
    assert (learner.multiples.grad != 0).float().mean() > 0.5
    direction = torch.randn_like(learner.multiples)
    slope = (learner.multiples.grad * direction).sum()
    losses = []
    h = 1e-6
    for sign in (1, -2):
        with torch.no_grad():
            learner.multiples.add_(sign * h * direction)
        losses.append(learner.meta_loss(episodes).detach())
    torch.testing.assert_close(slope, (losses[0] - losses[1]) / (2 * h), rtol=1e-6, atol=1e-8)


def test_number_of_steps_and_rates_can_change_without_changing_the_weights(
    support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_metasgd().eval()
    before = learner.adapt(support)(query).logit
    for change in ({"inner_steps": 4}, {"head_lr": 0.05}, {"encoder_lr": 0.01}):
        own = learner.config
        learner.config = replace(own, **change)
        assert not torch.allclose(learner.adapt(support)(query).logit, before, rtol=1e-3)
        learner.config = own


def test_settings_that_cannot_adapt_are_refused() -> None:
    for settings in ({"inner_steps": 0}, {"head_lr": 0.0}, {"encoder_lr": -1.0}):
        (name,) = settings
        with pytest.raises(ConfigError, match=name):
            MetaSGDConfig(**settings)
