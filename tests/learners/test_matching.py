"""Matching Networks against hand numbers and against IterRefLSTM written out in NumPy."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.matching import FullContext, Matching, MatchingConfig

Array = NDArray[np.float64]

TINY = EncoderConfig(graph=False, ecfp=False, hidden=8, dim=2)
# At 0°, 90°, 180° and 45°.
VECTORS = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [1.0, 1.0]])
LABELS = torch.tensor([1.0, 0.0, 0.0, 1.0])


def plain(batch: MoleculeBatch, sharpness: float, scale: float, **settings: float) -> Matching:
    """No context, no prior, one sharpness for all support sizes."""
    config = MatchingConfig(**{"context_steps": 0, "class_prior": 0.0, **settings})  # type: ignore[arg-type]
    learner = Matching(TINY, config).eval()
    with torch.no_grad():
        learner.sharpness.law.copy_(torch.tensor([math.log(sharpness), 0.0]))
        learner.temperature.law.copy_(torch.tensor([math.log(scale), 0.0]))
    return learner


def logits(
    learner: Matching, batch: MoleculeBatch, query: torch.Tensor, rows: list[int]
) -> torch.Tensor:
    support = Embedded(VECTORS[rows], batch.gather(torch.tensor(rows)))
    with torch.no_grad():
        head = learner.fit_head(support, LABELS[rows])
        return head(Embedded(query, batch.gather(torch.arange(len(query))))).logit


def test_without_context_it_is_the_softmax_of_cosines(batch: MoleculeBatch) -> None:
    # Scale and sharpness are equal and the classes even: the paper's equation 1 as it stands.
    learner = plain(batch, sharpness=2.0, scale=2.0)
    probability = torch.sigmoid(logits(learner, batch, torch.tensor([[5.0, 0.0]]), [0, 1, 2, 3]))
    actives = math.exp(2 * 1) + math.exp(2 * math.sqrt(0.5))
    inactives = math.exp(2 * 0) + math.exp(2 * -1)
    assert probability.item() == pytest.approx(actives / (actives + inactives), rel=1e-5)


def test_the_ratio_of_the_classes_enters_once(batch: MoleculeBatch) -> None:
    query, rows = torch.tensor([[5.0, 0.0]]), [0, 1, 2]  # one active, two inactives
    without = logits(plain(batch, 2.0, 2.0), batch, query, rows)
    inactives = (math.exp(0) + math.exp(-2)) / 2
    assert without.item() == pytest.approx(2 - math.log(inactives), rel=1e-5)
    with_prior = logits(plain(batch, 2.0, 2.0, class_prior=1.0), batch, query, rows)
    assert (with_prior - without).item() == pytest.approx(math.log(2 / 3), rel=1e-5)


def test_blunt_it_compares_class_means_and_sharp_it_asks_the_nearest(batch: MoleculeBatch) -> None:
    query, rows = torch.tensor([[5.0, 0.0]]), [0, 1, 2, 3]
    blunt = logits(plain(batch, 1e-3, 4.0), batch, query, rows)
    assert blunt.item() == pytest.approx(4 * ((1 + math.sqrt(0.5)) / 2 - (0 - 1) / 2), rel=1e-3)
    sharp = logits(plain(batch, 1e3, 4.0), batch, query, rows)
    assert sharp.item() == pytest.approx(4 * (1 - 0), rel=1e-3)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_context_is_iter_ref_lstm(steps: int) -> None:
    context = FullContext(5).double()
    support, query = torch.randn(7, 5).double(), torch.randn(4, 5).double()
    sharpness = torch.tensor(1.5, dtype=torch.float64)
    with torch.no_grad():
        in_context, seen = context.of_support(support, sharpness, steps)
        asked = context.of_query(query, sharpness, seen)
    expected_query, expected_support = iter_ref_lstm(
        query.numpy(), support.numpy(), context, steps, 1.5
    )
    np.testing.assert_allclose(in_context.numpy(), expected_support, rtol=1e-10)
    np.testing.assert_allclose(asked.numpy(), expected_query, rtol=1e-10)
    assert not np.allclose(asked.numpy(), query.numpy(), rtol=1e-3)


def iter_ref_lstm(
    x: Array, xp: Array, context: FullContext, depth: int, sharpness: float
) -> tuple[Array, Array]:
    """Altae-Tran et al. 2017 as DeepChem has it: p and q are input and state of their cells.

    The recurrent weights are split between the two at random, which must not matter.
    """
    rng = np.random.default_rng(0)
    cells = {}
    for name, cell in (("query", context.query_cell), ("support", context.support_cell)):
        recurrent = cell.weight_hh.detach().numpy()
        share = rng.normal(size=recurrent.shape)
        inputs = np.concatenate([share, cell.weight_ih.detach().numpy()], axis=1)
        bias = (cell.bias_ih + cell.bias_hh).detach().numpy()
        cells[name] = (inputs, recurrent - share, bias)

    p, c_query = np.zeros_like(x), np.zeros_like(x)
    q, c_support = np.zeros_like(xp), np.zeros_like(xp)
    z = xp
    for _ in range(depth):
        r = attention(sharpness, z + q, xp) @ xp
        s = attention(sharpness, x + p, z) @ z
        q, c_support = lstm(np.concatenate([q, r], axis=1), q, c_support, *cells["support"])
        p, c_query = lstm(np.concatenate([p, s], axis=1), p, c_query, *cells["query"])
        z = r
    return x + p, xp + q


def attention(sharpness: float, left: Array, right: Array) -> Array:
    cosine = left @ right.T
    cosine /= np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)
    e = np.exp(sharpness * cosine)
    return np.asarray(e / e.sum(1, keepdims=True))


def lstm(
    x: Array, h: Array, c: Array, inputs: Array, recurrent: Array, bias: Array
) -> tuple[Array, Array]:
    i, f, g, o = np.split(x @ inputs.T + h @ recurrent.T + bias, 4, axis=1)
    c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
    return np.tanh(c) / (1 + np.exp(-o)), c


def test_before_training_the_context_hardly_moves_an_embedding(drugs: MoleculeBatch) -> None:
    learner = Matching(
        EncoderConfig(graph_layers=1, graph_width=8, dim=16), MatchingConfig()
    ).eval()
    with torch.no_grad():
        support = learner.embed(drugs.gather(torch.arange(16))).vectors
        in_context, _ = learner.context.of_support(support, learner.sharpness(16), 3)
    moved = (in_context - support).norm(dim=1) / support.norm(dim=1)
    assert 0 < moved.max() < 0.2


def test_settings_that_cannot_be_computed_are_refused() -> None:
    with pytest.raises(ConfigError, match="context_steps"):
        MatchingConfig(context_steps=-1)
