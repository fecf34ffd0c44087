"""Matching Networks (Vinyals et al. 2016) whose embeddings know the whole support, in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Head, HeadLearner, Prediction
from molmeta.learners.prototypes import class_log_odds
from molmeta.learners.size_law import SizeLaw
from molmeta.learners.space import Int, Range

# What ranks best on a pre-trained encoder: 1 to 1.5 at 16 compounds, 4 to 5 at 256.
_START_SHARPNESS, _START_GROWTH = 1.7, 0.5
_START_SCALE = 5.0
# An output gate of sigmoid(-3) = 0.05: meta-training starts near the encoder's own embeddings.
_START_OUTPUT_GATE = -3.0


@dataclass(frozen=True, slots=True)
class MatchingConfig:
    """Settings of Matching Networks. All may be changed after meta-training."""

    context_steps: int = 3
    """How often each embedding looks at the support; 0 compares the encoder's own embeddings."""
    class_prior: float = 1.0
    """How much of the log odds of the support's class counts is added to the logit; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse what cannot be computed.

        Raises:
            ConfigError: a negative number of steps.
        """
        if self.context_steps < 0:
            raise ConfigError(
                f"learner.context_steps must be at least 0, not {self.context_steps}."
            )


class FullContext(nn.Module):
    """Embeddings that depend on the whole support: IterRefLSTM (Altae-Tran et al. 2017).

    Each step reads the support by attention, a = softmax(τ·cos(x + p, z)), and an LSTM turns what
    it read, s = a·z, into the next correction p of the embedding x. The support reads itself the
    same way with a cell of its own, and a query molecule reads the support z as it was at that
    step. As the sums over the support have no order, neither has the result, unlike that of the
    bidirectional LSTM over the support in Vinyals et al. (2016, A.2), whose attention LSTM for the
    query (A.1) this keeps. Departures from Altae-Tran et al.: the attention has the sharpness τ of
    the final comparison, where theirs is 1; p enters the cell once, as its state, and not also as
    its input, which adds weights and no function.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.support_cell = _cell(dim)
        self.query_cell = _cell(dim)

    def of_support(
        self, vectors: Tensor, sharpness: Tensor, steps: int
    ) -> tuple[Tensor, list[Tensor]]:
        """The support in its own context.

        Args:
            vectors: [n_support, dim].
            sharpness: [], τ.
            steps: how often it reads itself.

        Returns:
            Embeddings in context, [n_support, dim], and what there is to read at each step,
            `steps` times [n_support, dim].
        """
        seen, readable = [], vectors
        state = (torch.zeros_like(vectors), torch.zeros_like(vectors))
        for _ in range(steps):
            seen.append(readable)
            weights = torch.softmax(sharpness * cosines(readable + state[0], vectors), dim=1)
            readable = weights @ vectors
            state = self.support_cell(readable, state)
        return vectors + state[0], seen

    def of_query(self, vectors: Tensor, sharpness: Tensor, seen: list[Tensor]) -> Tensor:
        """Query molecules [n, dim] in the context of the support, each by itself: [n, dim]."""
        state = (torch.zeros_like(vectors), torch.zeros_like(vectors))
        for readable in seen:
            weights = torch.softmax(sharpness * cosines(vectors + state[0], readable), dim=1)
            state = self.query_cell(weights @ readable, state)
        return vectors + state[0]


class Matching(HeadLearner):
    """A molecule is as active as the support compounds that it resembles (Vinyals et al. 2016).

    p(active) = Σ a_i y_i, a = softmax(τ·cos(f(q), g(s_i))) over the support (eq. 1), f and g the
    embeddings in full context. As log odds, log Σ e^(τ cos) over the actives less the same over
    the inactives. Departures:

    - The logit is c/τ times the same with means for sums, plus the log odds of the class counts
      with one of each added, as in ProtoNet: the ratio of the classes enters once, and the
      temperature c makes the probabilities right where the τ that ranks best would leave them near
      a half.
    - τ and c follow the size of the support (see `SizeLaw`), because the more compounds there are,
      the fewer of them should be asked: the logit goes from the class means (τ = 0) to the nearest
      neighbours.
    - Embeddings are brought to length √dim, as the encoder is pre-trained on their direction alone.
    """

    Config = MatchingConfig
    # class_prior adds the same to every logit of a task, which changes no order.
    search_space: ClassVar[Mapping[str, Range]] = {"context_steps": Int(0, 6)}

    def __init__(
        self, encoder: EncoderConfig, config: MatchingConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.context = FullContext(self.encoder.dim)
        self.sharpness = SizeLaw(math.log(_START_SHARPNESS), _START_GROWTH)
        self.temperature = SizeLaw(math.log(_START_SCALE))

    @property
    def length(self) -> float:
        """√dim."""
        return math.sqrt(self.encoder.dim)

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The head for a support of both classes; labels [n_support]."""
        sharpness = self.sharpness(len(labels))
        vectors, seen = self.context.of_support(
            support.vectors, sharpness, self.config.context_steps
        )
        active = labels == 1
        prior = class_log_odds(labels) * self.config.class_prior
        scale = self.temperature(len(labels))

        def head(query: Embedded) -> Prediction:
            in_context = self.context.of_query(query.vectors, sharpness, seen)
            similarity = sharpness * cosines(in_context, vectors)
            odds = log_mean_exp(similarity[:, active]) - log_mean_exp(similarity[:, ~active])
            logit = scale / sharpness * odds + prior
            return Prediction(logit, torch.full_like(logit, torch.nan))

        return head


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosine of the angle between each row of `left` [n, dim] and of `right` [m, dim]: [n, m]."""
    return nn.functional.normalize(left, dim=1) @ nn.functional.normalize(right, dim=1).T


def log_mean_exp(values: Tensor) -> Tensor:
    """Logarithm of the mean of e^values over each row of `values` [n, m], m at least 1: [n]."""
    return torch.logsumexp(values, dim=1) - math.log(values.shape[1])


def _cell(dim: int) -> nn.LSTMCell:
    cell = nn.LSTMCell(dim, dim)
    with torch.no_grad():
        cell.bias_ih[3 * dim :] = _START_OUTPUT_GATE
    return cell
