"""The LSTM meta-learner against gradient descent, hand numbers and a reading of the equations."""

import math

import pytest
import torch
from torch import nn

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.lstm import LSTMConfig, LSTMMetaLearner, UpdateRule, told
from molmeta.learners.maml import ANIL, ANILConfig

ENCODER = EncoderConfig(
    graph_layers=2, graph_width=8, ecfp_bits=64, hidden=16, dim=8, dropout=0.0, view_dropout=0.0
)


def make_lstm(**settings: object) -> LSTMMetaLearner:
    torch.manual_seed(0)
    return LSTMMetaLearner(ENCODER, LSTMConfig(**settings))


@pytest.fixture
def support(drugs: MoleculeBatch) -> LabeledMolecules:
    rows = torch.arange(16)
    return LabeledMolecules(drugs.gather(rows), (rows % 3 == 0).float())


@pytest.fixture
def query(drugs: MoleculeBatch) -> MoleculeBatch:
    return drugs.gather(torch.arange(16, 30))


@pytest.mark.parametrize("head_init", ["prototype", "learned"])
def test_with_gates_that_stay_it_is_gradient_descent(
    head_init: str, support: LabeledMolecules, query: MoleculeBatch
) -> None:
    learner = make_lstm(inner_steps=4, head_lr=0.3, head_init=head_init)
    with torch.no_grad():
        learner.rule.gate_biases[1] = 200.0  # a forget gate of exactly 1
    anil = ANIL(ENCODER, ANILConfig(inner_steps=4, head_lr=0.3, head_init=head_init))
    shared = {n: t for n, t in learner.state_dict().items() if not n.startswith("rule.")}
    anil.load_state_dict({**anil.state_dict(), **shared})
    torch.testing.assert_close(
        learner.adapt(support)(query).logit, anil.adapt(support)(query).logit, rtol=1e-4, atol=1e-5
    )


def test_before_training_a_step_is_nearly_one_of_gradient_descent() -> None:
    rule = UpdateRule(hidden=6, rate=0.3)
    weights, gradient = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.5, 1.0, -1.0])
    stepped, state = rule(weights, gradient, torch.tensor(0.7), rule.first_state(weights))
    keep = 1 / (1 + math.exp(-5))
    expected = [keep - 0.15, -2 * keep - 0.3, 0.3]
    assert stepped.tolist() == pytest.approx(expected, abs=1e-6)
    assert state.gates[:, 0].tolist() == pytest.approx([0.3] * 3)


def test_two_steps_follow_the_equations_weight_by_weight() -> None:
    torch.manual_seed(1)
    rule = UpdateRule(hidden=5, rate=0.2).double()
    with torch.no_grad():
        for parameter in rule.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    weights = torch.tensor([0.4, -1.5], dtype=torch.float64)
    gradients = torch.tensor([[0.3, -1e-6], [0.0, 2.0]], dtype=torch.float64)
    losses = torch.tensor([0.9, 0.2], dtype=torch.float64)
    now, state = weights, rule.first_state(weights)
    for gradient, loss in zip(gradients, losses, strict=True):
        now, state = rule(now, gradient, loss, state)

    cell = rule.reader
    for k in range(2):
        theta, gates = weights[k], [0.0, 0.0]
        h, c = torch.zeros(5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
        for gradient, loss in zip(gradients[:, k], losses, strict=True):
            signals = torch.tensor(
                [*_told_by_hand(gradient.item()), *_told_by_hand(loss.item())], dtype=torch.float64
            )
            sums = cell.weight_ih @ signals + cell.bias_ih + cell.weight_hh @ h + cell.bias_hh
            i, f, g, o = sums.view(4, 5)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            gates = [
                torch.sigmoid(w[:5] @ h + w[5] * theta + w[6] * own + b)
                for w, b, own in zip(rule.gate_weights, rule.gate_biases, gates, strict=True)
            ]
            theta = gates[1] * theta - gates[0] * gradient
        torch.testing.assert_close(now[k], theta)


def _told_by_hand(x: float) -> tuple[float, float]:
    if abs(x) >= math.exp(-10):
        return math.log(abs(x)) / 10, math.copysign(1, x)
    return -1.0, math.exp(10) * x


def test_numbers_of_any_size_are_told_by_logarithm_and_sign() -> None:
    x = torch.tensor([1.0, -math.exp(-5), math.exp(-12), 0.0, math.exp(10)])
    expected = [[0, 1], [-0.5, -1], [-1, math.exp(-2)], [-1, 0], [1, 1]]
    torch.testing.assert_close(told(x), torch.tensor(expected))


def test_gradients_that_the_rule_reads_count_as_constants() -> None:
    learner = make_lstm(inner_steps=2, head_lr=0.3, head_init="learned").double()
    vectors = torch.randn(12, 8, dtype=torch.float64, requires_grad=True)
    labels = (torch.arange(12) % 3 == 0).double()
    empty = Embedded(vectors, None)  # type: ignore[arg-type]
    others = Embedded(torch.randn(3, 8, dtype=torch.float64), None)  # type: ignore[arg-type]
    logit = learner.fit_head(empty, labels)(others).logit
    # A learned start does not depend on the embeddings: only the gradients do.
    (slope,) = torch.autograd.grad(logit.sum(), vectors, allow_unused=True)
    assert slope is None


def test_the_rule_learns_longer_steps_where_they_pay() -> None:
    learner = make_lstm(head_init="learned", head_lr=0.02)
    vectors, labels = torch.randn(40, 8), torch.arange(40) % 2
    vectors[:, 0] = 2.0 * labels - 1
    molecules = Embedded(vectors, None)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(learner.rule.parameters(), lr=0.1)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        logits = learner.fit_head(molecules, labels)(molecules).logit
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.float())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert torch.sigmoid(learner.rule.gate_biases[0]) > 0.04
    assert learner.rule.gate_weights.abs().sum() > 0


@pytest.mark.parametrize(
    "settings", [{"inner_steps": 0}, {"head_lr": 0.0}, {"head_lr": 1.0}, {"hidden": 0}]
)
def test_settings_that_cannot_adapt_are_refused(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=name):
        LSTMConfig(**settings)
