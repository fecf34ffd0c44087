"""LSTM meta-learner: a recurrent network takes the steps that gradient descent would."""

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
from molmeta.learners.base import Embedded, Head, HeadLearner
from molmeta.learners.descent import HeadDescentConfig
from molmeta.learners.linear_head import LinearHead, as_vector, from_vector
from molmeta.learners.setting import Setting
from molmeta.learners.space import Int, Range

_START_KEEP = 5.0
"""Logit of the forget gate before training: a step keeps 99.3 % of each weight."""
_LOG_RANGE = 10.0
"""p of the preprocessing: what is smaller than exp(-p) is not told by its logarithm."""


@dataclass(frozen=True, slots=True)
class LSTMConfig(HeadDescentConfig):
    """Settings of the LSTM meta-learner; `inner_steps` may be changed after meta-training."""

    inner_steps: int = 5
    hidden: int = 20
    """Units of the network, which every weight of the head shares."""

    def __post_init__(self) -> None:
        """Refuse what cannot adapt.

        Raises:
            ConfigError: as for any head, a rate that no gate can have, or no unit.
        """
        HeadDescentConfig.__post_init__(self)
        if self.head_lr >= 1:
            raise ConfigError(f"learner.head_lr must be below 1, not {self.head_lr}: it is a gate.")
        if self.hidden < 1:
            raise ConfigError(f"learner.hidden must be at least 1, not {self.hidden}.")


@dataclass(frozen=True, slots=True)
class _State:
    """What the network carries from step to step, for each of k weights."""

    hidden: Tensor
    """[k, hidden]."""
    cell: Tensor
    """[k, hidden]."""
    gates: Tensor
    """[k, 2]: the last input gate and the last forget gate."""


class UpdateRule(nn.Module):
    """θ_t = f_t∘θ_{t-1} - i_t∘∇_t: the weights as a cell state (Ravi & Larochelle 2017, eq. 2).

    An ordinary LSTM reads gradient and loss of each step; from what it says, from θ and from their
    own last values come the gates i and f, the same network for every weight. Before training the
    gates have their biases alone, i at the rate of gradient descent and f near 1.
    """

    def __init__(self, hidden: int, rate: float) -> None:
        super().__init__()
        self.reader = nn.LSTMCell(4, hidden)
        # Zero, not small random: the first outer steps start from gradient descent itself.
        self.gate_weights = Setting(torch.zeros(2, hidden + 2))
        self.gate_biases = Setting(torch.tensor([math.log(rate / (1 - rate)), _START_KEEP]))

    def first_state(self, weights: Tensor) -> _State:
        """The state before the first step on `weights` [k]."""
        nothing = weights.new_zeros(len(weights), self.reader.hidden_size)
        return _State(nothing, nothing, weights.new_zeros(len(weights), 2))

    def forward(
        self, weights: Tensor, gradient: Tensor, loss: Tensor, state: _State
    ) -> tuple[Tensor, _State]:
        """Weights [k] after a step, given the gradient [k] and the loss [] before it."""
        signals = torch.cat([told(gradient), told(loss).expand(len(weights), 2)], dim=1)
        hidden, cell = self.reader(signals, (state.hidden, state.cell))
        seen = torch.cat([hidden, weights[:, None]], dim=1)[:, None].expand(-1, 2, -1)
        inputs = torch.cat([seen, state.gates[:, :, None]], dim=2)  # [k, 2, hidden + 2]
        gates = torch.sigmoid((inputs * self.gate_weights).sum(2) + self.gate_biases)
        rate, keep = gates.unbind(1)
        return keep * weights - rate * gradient, _State(hidden, cell, gates)


class LSTMMetaLearner(HeadLearner):
    """Optimization as a model for few-shot learning (Ravi & Larochelle 2017), on the head alone.

    The start of the head and the rule that changes it are learned together; as in the paper the
    gradients and losses that the rule reads count as constants. Departures: the head starts where
    `LinearHead` says, and the encoder takes no inner steps, because a rule for a million weights
    would carry its state for each of them through every step.
    """

    Config = LSTMConfig
    search_space: ClassVar[Mapping[str, Range]] = {"inner_steps": Int(1, 10)}

    def __init__(
        self, encoder: EncoderConfig, config: LSTMConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.head = LinearHead(self.encoder.dim, config.head_init)
        self.rule = UpdateRule(config.hidden, config.head_lr)

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The head after the rule's steps; labels [n_support], 1 active, 0 inactive."""
        features = self.head.features(support.vectors)
        weights = as_vector(self.head.start(features, labels))
        state = self.rule.first_state(weights)
        for _ in range(self.config.inner_steps):
            loss, gradient = _loss_and_gradient(weights.detach(), features.detach(), labels)
            weights, state = self.rule(weights, gradient, loss, state)
        finished = self.head.finished(from_vector(weights), len(labels))
        return lambda query: self.head.predict(finished, self.head.features(query.vectors))


def told(x: Tensor) -> Tensor:
    """Size and sign of numbers of any magnitude, each about -1..1: [..., 2].

    (ln|x| / p, sign x) where |x| is at least exp(-p), else (-1, exp(p)·x) (Andrychowicz et al.
    2016, appendix A).
    """
    smallest = math.exp(-_LOG_RANGE)
    is_large = x.abs() >= smallest
    size = x.abs().clamp(min=smallest).log() / _LOG_RANGE
    return torch.stack([size, torch.where(is_large, x.sign(), x / smallest)], dim=-1)


def _loss_and_gradient(weights: Tensor, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean binary cross-entropy [] of a linear head [dim + 1], and its gradient [dim + 1]."""
    inputs = nn.functional.pad(features, (0, 1), value=1.0)
    targets = labels.to(features)
    logits = inputs @ weights
    loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
    return loss, (torch.sigmoid(logits) - targets) @ inputs / len(labels)
