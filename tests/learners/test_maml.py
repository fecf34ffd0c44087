"""MAML and ANIL against finite differences, DeepChem's MAML and the sinusoid of the paper."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError, SupportError
from molmeta.learners.base import Learner
from molmeta.learners.linear_head import LinearHead
from molmeta.learners.maml import ANIL, MAML, ANILConfig, MAMLConfig
from molmeta.learners.prototypes import RIDGE, ClassMetric, prototypes

ENCODER = EncoderConfig(
    graph_layers=2, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.0, view_dropout=0.0
)
# The fingerprint and the descriptors are float32 by contract; the graph follows its weights.
GRAPH_ONLY = EncoderConfig(
    ecfp=False, descriptors=False, graph_layers=2, graph_width=8, hidden=16, dim=8, dropout=0.0
)


@pytest.fixture
def support(drugs: MoleculeBatch) -> LabeledMolecules:
    rows = torch.arange(16)
    return LabeledMolecules(drugs.gather(rows), (rows % 3 == 0).float())


@pytest.fixture
def query(drugs: MoleculeBatch) -> MoleculeBatch:
    return drugs.gather(torch.arange(16, 30))


@pytest.fixture
def episodes(drugs: MoleculeBatch) -> EpisodeBatch:
    """Two tasks, of 10 and 13 support and 6 query molecules."""
    rows = torch.arange(35)
    support, query = zip(
        *(part.split([n, 6]) for part, n in zip(rows.split([16, 19]), (10, 13), strict=True)),
        strict=True,
    )
    return EpisodeBatch(drugs.gather(rows), (rows % 3 == 0).float(), support, query, ("a", "b"))


def make_maml(encoder: EncoderConfig = ENCODER, **settings: object) -> MAML:
    torch.manual_seed(0)
    # Long steps, so that what they do shows.
    return MAML(encoder, MAMLConfig(**{"encoder_lr": 0.1, "head_lr": 0.5, **settings}))


def make_anil(encoder: EncoderConfig = ENCODER, **settings: object) -> ANIL:
    torch.manual_seed(0)
    return ANIL(encoder, ANILConfig(**{"head_lr": 0.5, **settings}))


LEARNERS: list[Callable[[], Learner]] = [
    make_maml,
    lambda: make_maml(first_order=True),
    lambda: make_maml(head_init="learned"),
    make_anil,
    lambda: make_anil(head_init="learned"),
]
every_learner = pytest.mark.parametrize(
    "make",
    LEARNERS,
    ids=["maml", "maml first order", "maml learned head", "anil", "anil learned head"],
)


# The learners


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
@pytest.mark.parametrize("make", [make_maml, make_anil], ids=["maml", "anil"])
def test_meta_gradient_agrees_with_finite_differences(
    make: Callable[..., Learner], head_init: str, episodes: EpisodeBatch
) -> None:
    learner = make(GRAPH_ONLY, head_init=head_init, inner_steps=2).double()
    with torch.no_grad():  # no coefficient at its start of 0, where mistakes could hide
        for parameter in learner.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    # Labels in double precision, or the loss would be in single.
    episodes = replace(episodes, labels=episodes.labels.double())
    learner.meta_loss(episodes).backward()
    parameters = list(learner.parameters())
    for trial in range(3):
        torch.manual_seed(trial)
        direction = [torch.randn_like(p) for p in parameters]
        slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True))
        h = 1e-6
        losses = []
        for sign in (1, -2):
            with torch.no_grad():
                for p, d in zip(parameters, direction, strict=True):
                    p.add_(sign * h * d)
            losses.append(learner.meta_loss(episodes).detach())
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p.add_(h * d)
        torch.testing.assert_close(slope, (losses[0] - losses[1]) / (2 * h), rtol=1e-6, atol=1e-8)


@every_learner
def test_meta_gradient_reaches_encoder_head_and_inner_rates(
    make: Callable[[], Learner], episodes: EpisodeBatch
) -> None:
    learner = make()
    learner.meta_loss(episodes).backward()
    for name, parameter in learner.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or name == "encoder.mix.7.bias", name


@every_learner
def test_adapt_leaves_every_byte_of_the_learner(
    make: Callable[[], Learner], support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make()
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    for mode in (True, False):
        learner.train(mode).adapt(support)(query)
    for name, tensor in learner.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.grad is None for parameter in learner.parameters())


@every_learner
def test_adaptation_is_the_same_without_gradients_and_in_evaluation_mode(
    make: Callable[[], Learner], support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make().train()
    with_graph = learner.adapt(support)(query).logit
    assert with_graph.requires_grad
    with torch.no_grad():
        without = learner.adapt(support)(query).logit
        in_evaluation = learner.eval().adapt(support)(query).logit
    assert not without.requires_grad
    torch.testing.assert_close(without, with_graph.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(in_evaluation, without, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_predictor_adapted_in_evaluation_mode_keeps_no_graph(
    head_init: str, support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_maml(head_init=head_init).eval()
    # All that MAML predicts with are adapted parameters, but for the head's radius and temperature.
    for setting in (learner.head.log_radius, learner.head.temperature.law):
        setting.requires_grad_(False)
    predictor = learner.adapt(support)
    assert not predictor(query).logit.requires_grad


def test_evaluation_is_deterministic_and_training_draws_dropout_in_the_inner_loop(
    support: LabeledMolecules, query: MoleculeBatch
) -> None:
    torch.manual_seed(0)
    learner = MAML(EncoderConfig(graph=False, hidden=32, dim=16, dropout=0.5), MAMLConfig())
    evaluated = [learner.eval().adapt(support)(query).logit.detach() for _ in range(2)]
    assert torch.equal(*evaluated)
    adapted = [learner.train().adapt(support) for _ in range(2)]
    learner.eval()  # so that only the supports had masks
    assert not torch.equal(*(predictor(query).logit.detach() for predictor in adapted))


@every_learner
def test_a_step_lowers_the_loss_on_the_support(
    make: Callable[[], Learner], support: LabeledMolecules
) -> None:
    losses = []
    for steps in (1, 5, 20):
        learner = make().eval()
        learner.config = replace(learner.config, inner_steps=steps)
        if isinstance(learner, MAML):
            # From a start that separates the classes, the long steps overshoot.
            learner.config = replace(learner.config, encoder_lr=0.01)
        logits = learner.adapt(support)(support.molecules).logit.detach()
        losses.append(nn.functional.binary_cross_entropy_with_logits(logits, support.labels).item())
    assert losses[0] > losses[1] > losses[2]


def test_anil_encodes_as_it_did_before_and_maml_does_not(
    support: LabeledMolecules, query: MoleculeBatch
) -> None:
    # With a head that hardly moves, only the encoder can change what is predicted.
    still = {"head_lr": 1e-12, "inner_steps": 1}
    with torch.no_grad():
        for learner, moves in (
            (make_anil(**still).eval(), False),
            (make_maml(**still).eval(), True),
        ):
            adapted = learner.adapt(support)(query).logit
            head = learner.head
            start = head.start(head.features(learner.encoder(support.molecules)), support.labels)
            unadapted = head(start, head.features(learner.encoder(query)))
            assert torch.allclose(adapted, unadapted, atol=1e-5) is not moves


def test_anil_encodes_each_molecule_once_whatever_the_number_of_steps(
    support: LabeledMolecules, query: MoleculeBatch, episodes: EpisodeBatch
) -> None:
    learner = make_anil(inner_steps=7)
    lengths: list[int] = []
    learner.encoder.register_forward_hook(lambda _, inputs, __: lengths.append(len(inputs[0])))
    learner.adapt(support)(query)
    assert lengths == [len(support), len(query)]
    lengths.clear()
    learner.query_logits(episodes)
    assert lengths == [len(episodes.molecules)]


# All tasks as one


@pytest.mark.parametrize("backend", ["torch", "pyg"])
@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_one_inner_loop_for_all_tasks_equals_one_for_each(
    backend: Backend, first_order: bool, head_init: str, episodes: EpisodeBatch
) -> None:
    torch.manual_seed(0)
    config = MAMLConfig(encoder_lr=0.1, head_lr=0.5, first_order=first_order, head_init=head_init)
    learner = MAML(GRAPH_ONLY, config, backend).double()
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    episodes = replace(episodes, labels=episodes.labels.double())
    losses, gradients = [], []
    for logits in (learner.query_logits(episodes), learner.query_logits_as_one(episodes)):
        loss = torch.stack([of_task.square().mean() for of_task in logits]).sum()
        losses.append(loss.detach())
        gradients.append(torch.autograd.grad(loss, list(learner.parameters())))
    torch.testing.assert_close(*losses, rtol=1e-12, atol=1e-12)
    for (name, _), one, other in zip(learner.named_parameters(), *gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-10), name


def test_one_inner_loop_for_all_tasks_takes_fingerprints_and_evaluation_mode(
    episodes: EpisodeBatch,
) -> None:
    learner = make_maml()
    for mode in (True, False):
        learner.train(mode)
        pairs = zip(
            learner.query_logits(episodes), learner.query_logits_as_one(episodes), strict=True
        )
        for one, other in pairs:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_one_inner_loop_for_all_tasks_refuses_a_support_of_one_class(
    episodes: EpisodeBatch,
) -> None:
    with pytest.raises(SupportError, match="active"):
        make_maml().query_logits_as_one(replace(episodes, labels=torch.zeros(35)))


# Where the head starts, and how long the steps are


def test_prototype_head_ranks_by_distance_to_the_prototypes_before_any_step() -> None:
    head = LinearHead(16, "prototype")
    support, query, labels = torch.randn(12, 16), torch.randn(30, 16), torch.arange(12) % 3 == 0
    features = head.features(support)
    logits = head(head.start(features, labels.float()), head.features(query))
    inactive, active = prototypes(features, labels.float())
    # The embeddings at the head's first length, 2.
    others = 2 * query / query.norm(dim=1, keepdim=True)
    metric = ClassMetric.of(features, labels.float(), RIDGE)
    near, far = others - active, others - inactive
    expected = (far * metric(far)).sum(1) - (near * metric(near)).sum(1)
    # Four actives and eight inactives, with one of each added.
    torch.testing.assert_close(logits, (12 / 32) ** 0.8 * expected + math.log(5 / 9))


def test_learned_head_starts_at_the_log_odds_of_the_support() -> None:
    head = LinearHead(16, "learned")
    features, labels = head.features(torch.randn(20, 16)), (torch.arange(20) < 1).float()
    logits = head(head.start(features, labels), features)
    torch.testing.assert_close(logits, torch.full((20,), math.log(2 / 20)))


def test_rates_that_are_not_learned_stay(episodes: EpisodeBatch) -> None:
    learner = make_maml(learn_rates=False)
    learner.meta_loss(episodes).backward()
    assert learner.rates.coefficients.grad is None


def test_number_of_steps_can_change_without_changing_the_weights() -> None:
    few, many = make_maml(inner_steps=1), make_maml(inner_steps=10)
    many.load_state_dict(few.state_dict())


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (ANILConfig, {"inner_steps": 0}),
        (ANILConfig, {"head_lr": 0.0}),
        (ANILConfig, {"head_init": "random"}),
        (MAMLConfig, {"inner_steps": 0}),
        (MAMLConfig, {"encoder_lr": 0.0}),
    ],
)
def test_settings_that_cannot_adapt_are_refused(
    config: type[ANILConfig], settings: dict[str, object]
) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=name):
        config(**settings)


def test_meta_training_lowers_the_loss(episodes: EpisodeBatch) -> None:
    learner = make_maml()
    optimizer = torch.optim.Adam(learner.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = learner.meta_loss(episodes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
