"""MAML and ANIL against finite differences, DeepChem's MAML and the sinusoid of the paper."""

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Learner
from molmeta.learners.maml import (
    ANIL,
    MAML,
    ANILConfig,
    InnerRates,
    LinearHead,
    MAMLConfig,
    inner_loop,
)
from molmeta.learners.protonet import prototypes

ENCODER = EncoderConfig(
    graph_layers=2, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.0, view_dropout=0.0
)
# The fingerprint and the descriptors are float32 by contract; the graph follows its weights.
GRAPH_ONLY = EncoderConfig(
    ecfp=False, descriptors=False, graph_layers=2, graph_width=8, hidden=16, dim=8, dropout=0.0
)

Loss = Callable[[Mapping[str, Tensor]], Tensor]


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


def small_net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))


def squared_error(net: nn.Module, x: Tensor, y: Tensor) -> Loss:
    return lambda parameters: (functional_call(net, dict(parameters), (x,)) - y).square().mean()


def constant_rate(names: Mapping[str, Tensor], rate: float, steps: int) -> list[dict[str, float]]:
    return [dict.fromkeys(names, rate)] * steps


# The inner loop, on any module


@pytest.mark.parametrize("steps", [1, 3])
def test_meta_gradient_equals_that_of_deepchem(steps: int) -> None:
    logger = logging.getLogger("deepchem")
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("deepchem", exc_type=ImportError)
        from deepchem.metalearning.torch_maml import MAML as DeepChemMAML
        from deepchem.metalearning.torch_maml import MetaLearner
        from deepchem.models.optimizers import GradientDescent

    net = small_net(0).double()
    names = [name for name, _ in net.named_parameters()]
    rng = torch.Generator().manual_seed(4)
    batches = [
        (
            torch.randn(10, 1, generator=rng, dtype=torch.float64),
            torch.randn(10, 1, generator=rng, dtype=torch.float64),
        )
        for _ in range(2 * (steps + 1))
    ]

    class TwoTasks(MetaLearner):
        def __init__(self) -> None:
            self.net = net
            self.place = 0

        def compute_model(self, inputs, variables, training):
            return squared_error(net, *inputs)(dict(zip(names, variables, strict=True))), []

        @property
        def variables(self):
            return list(net.parameters())

        def parameters(self):
            return net.parameters()

        def select_task(self):
            pass

        def get_batch(self):
            self.place += 1
            return batches[self.place - 1]

    reference = DeepChemMAML(
        TwoTasks(),
        learning_rate=0.1,
        optimization_steps=steps,
        meta_batch_size=2,
        optimizer=GradientDescent(learning_rate=0.0),
        device=torch.device("cpu"),
    )
    reference.fit(1)
    expected = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()

    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        adapted = dict(net.named_parameters())
        *inner, last = batches[task * (steps + 1) : (task + 1) * (steps + 1)]
        for x, y in inner:  # DeepChem draws a new batch for each step
            adapted = inner_loop(
                adapted,
                squared_error(net, x, y),
                constant_rate(adapted, 0.1, 1),
                first_order=False,
            )
        total = total + squared_error(net, *last)(adapted)
    total.backward()
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-12)


def test_first_order_gradient_is_the_query_gradient_at_the_adapted_parameters() -> None:
    net = small_net(0).double()
    x, y, xq, yq = torch.randn(4, 10, 1, dtype=torch.float64)
    start = dict(net.named_parameters())
    gradients = {}
    for first_order in (True, False):
        adapted = inner_loop(
            start,
            squared_error(net, x, y),
            constant_rate(start, 0.1, 3),
            first_order=first_order,
        )
        loss = squared_error(net, xq, yq)(adapted)
        gradients[first_order] = torch.autograd.grad(loss, list(start.values()))
    detached = {name: value.detach().requires_grad_() for name, value in adapted.items()}
    at_the_end = torch.autograd.grad(squared_error(net, xq, yq)(detached), list(detached.values()))
    for first, second, expected in zip(gradients[True], gradients[False], at_the_end, strict=True):
        torch.testing.assert_close(first, expected, rtol=1e-12, atol=1e-12)
        assert not torch.allclose(first, second, rtol=1e-2)


def test_inner_loop_takes_plain_gradient_steps() -> None:
    # loss = (w - 3)², from w = 1: 1 + 0.1·4 = 1.4, then 1.4 + 0.2·3.2 = 2.04.
    adapted = inner_loop(
        {"w": torch.tensor(1.0), "unused": torch.tensor(7.0)},
        lambda p: (p["w"] - 3).square(),
        [{"w": 0.1, "unused": 0.1}, {"w": 0.2, "unused": 0.2}],
        first_order=True,
    )
    assert adapted["w"].item() == pytest.approx(2.04)
    assert adapted["unused"].item() == 7.0
    assert not adapted["w"].requires_grad


def test_inner_gradient_is_partial_where_one_parameter_is_made_from_another() -> None:
    a = torch.tensor(2.0, requires_grad=True)
    # At a = 2, b = 6: ∂(ab)/∂a = 6; the derivative along b = 3a would be 12.
    adapted = inner_loop(
        {"a": a, "b": 3 * a}, lambda p: p["a"] * p["b"], [{"a": 0.1, "b": 0.1}], first_order=False
    )
    assert adapted["a"].item() == pytest.approx(2 - 0.1 * 6)
    assert adapted["b"].item() == pytest.approx(6 - 0.1 * 2)


def test_sinusoid_is_regressed_after_one_step_as_in_the_paper() -> None:
    # Finn et al. 2017, sec. 5.1 and fig. 3: after 70,000 iterations the error of 10-shot tasks
    # falls from about 3 to about 0.5 in one step. The first 700 bring it from 4.1 to about 1.8
    # (3,000: 0.9). A net that ignores the support cannot come below 3.0, the variance of the
    # tasks at one x: E[A²]/2 - (2 E[A]/π)² E[cos² x].
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
    rng = torch.Generator().manual_seed(0)
    rates = constant_rate(dict(net.named_parameters()), 0.01, 1)

    def errors(n_tasks: int) -> tuple[Tensor, Tensor]:
        """Mean squared error on the query before and after the step, over tasks."""
        amplitude = 0.1 + 4.9 * torch.rand(n_tasks, 1, 1, generator=rng)
        phase = math.pi * torch.rand(n_tasks, 1, 1, generator=rng)
        x = 10 * torch.rand(n_tasks, 20, 1, generator=rng) - 5
        y = amplitude * torch.sin(x - phase)

        def task_errors(parameters: Mapping[str, Tensor], rows: slice) -> Tensor:
            outputs = vmap(lambda p, x: functional_call(net, p, (x,)))(dict(parameters), x[:, rows])
            return (outputs - y[:, rows]).square().mean((1, 2))

        # A copy of the parameters for each task: the sum of the losses gives each its own gradient.
        start = {
            name: value.expand(n_tasks, *value.shape) for name, value in net.named_parameters()
        }
        adapted = inner_loop(
            start, lambda p: task_errors(p, slice(10)).sum(), rates, first_order=False
        )
        query = slice(10, 20)
        return task_errors(start, query).mean(), task_errors(adapted, query).mean()

    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(700):
        optimizer.zero_grad()
        errors(25)[1].backward()
        optimizer.step()
    before, after = errors(1000)
    assert before > 2.5
    assert after < 2.2


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
    assert torch.equal(in_evaluation, without)


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_predictor_adapted_in_evaluation_mode_keeps_no_graph(
    head_init: str, support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_maml(head_init=head_init).eval()
    predictor = learner.adapt(support)
    # All that MAML predicts with are adapted parameters, but for the head's radius.
    learner.head.requires_grad_(False)
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


# Where the head starts, and how long the steps are


def test_prototype_head_ranks_by_distance_to_the_prototypes_before_any_step() -> None:
    head = LinearHead(16, "prototype")
    support, query, labels = torch.randn(12, 16), torch.randn(30, 16), torch.arange(12) % 3 == 0
    features = head.features(support)
    logits = head(head.start(features, labels.float()), head.features(query))
    inactive, active = prototypes(features, labels.float())
    # The embeddings at the head's first length, 2.
    others = 2 * query / query.norm(dim=1, keepdim=True)
    expected = (others - inactive).square().sum(1) - (others - active).square().sum(1)
    # Four actives and eight inactives, with one of each added.
    torch.testing.assert_close(logits, expected + math.log(5 / 9))


def test_learned_head_starts_at_the_log_odds_of_the_support() -> None:
    head = LinearHead(16, "learned")
    features, labels = head.features(torch.randn(20, 16)), (torch.arange(20) < 1).float()
    logits = head(head.start(features, labels), features)
    torch.testing.assert_close(logits, torch.full((20,), math.log(2 / 20)))


def test_inner_rates_follow_step_and_support_size() -> None:
    rates = InnerRates(["encoder.mix.0.weight", "encoder.mix.0.bias", "head.bias"], learned=True)
    start = {"encoder.mix.0.weight": 0.01, "encoder.mix.0.bias": 0.01, "head.bias": 0.1}
    assert rates.layers == ["encoder.mix.0", "head"]
    at_first = rates(start, 2, 64)
    assert [step["head.bias"].item() for step in at_first] == pytest.approx([0.1, 0.1])
    with torch.no_grad():
        rates.coefficients.copy_(torch.tensor([[0.0, 1.0], [0.0, -1.0], [0.0, 2.0]]))
    # e¹ · 2⁻¹ · (64/32)² = 2e in the second step; the other layer has its own coefficients.
    second = rates(start, 2, 64)[1]
    assert second["head.bias"].item() == pytest.approx(0.1 * 2 * math.e)
    assert second["encoder.mix.0.bias"].item() == pytest.approx(0.01)


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
