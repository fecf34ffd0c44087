"""LinearHead: where the head of the gradient-based learners starts, and what it then says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from molmeta.learners.base import Prediction
from molmeta.learners.prototypes import (
    RIDGE,
    ClassMetric,
    class_log_odds,
    prototypes,
)
from molmeta.learners.setting import Setting
from molmeta.learners.size_law import REFERENCE_SIZE, SizeLaw

HeadInit = Literal["prototype", "learned"]

_START_RADIUS = 2.0
_GROWTH = 0.8
"""Of the first logits with the support, as ProtoNet has learned it (its b, rounded)."""


class LinearHead(nn.Module):
    """One logit from an embedding u at length r: r·u·w + b.

    From prototypes it starts at w = 2P(μ₁ - μ₀), b = -w·(μ₀ + μ₁)/2 (Proto-MAML, Triantafillou et
    al. 2020, sec. 3.1, as the difference of the two classes' logits). Departures, the first and the
    last as in ProtoNet: P is not Euclid's metric but the `ClassMetric`; embeddings are brought to
    one learned length r, because their raw squared length, which grows with `dim` and in training,
    would scale the first logits and every step on the head; w is (n_support / 32)^0.8 times that,
    because the more compounds, the surer the prototypes and the metric; and the log odds of the
    class counts are added to b. With those, the residuals of both classes weigh about the same
    in the first gradient, so that the loss needs no class weights.
    """

    PARAMETERS = ("head.weight", "head.bias")

    def __init__(self, dim: int, init: HeadInit) -> None:
        super().__init__()
        self.log_radius = Setting(torch.tensor(math.log(_START_RADIUS)))
        self.temperature = SizeLaw()
        self.init: HeadInit = init
        if init == "learned":
            self.weight = nn.Parameter(torch.zeros(dim))
            self.bias = nn.Parameter(torch.zeros(()))

    def features(self, vectors: Tensor) -> Tensor:
        """Embeddings at length r: [n, dim]."""
        return self.log_radius.exp() * nn.functional.normalize(vectors, dim=1)

    def start(self, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Weight [dim] and bias [] before the first step, for a support of both classes."""
        if self.init == "learned":
            start: tuple[Tensor, Tensor] = self.weight, self.bias
        else:
            means = prototypes(features, labels)
            metric = ClassMetric.of(features, labels, RIDGE)
            scale = (len(labels) / REFERENCE_SIZE) ** _GROWTH
            slope = 2 * scale * metric(means.diff(dim=0))[0]
            start = slope, -slope @ means.mean(0)
        weight, bias = start
        return dict(zip(self.PARAMETERS, (weight, bias + class_log_odds(labels)), strict=True))

    def finished(
        self, parameters: Mapping[str, Tensor], n_support: int | Sequence[int]
    ) -> dict[str, Tensor]:
        """Parameters after the last step, with their log odds at the learned temperature.

        Args:
            parameters: of one head or of several, [..., dim] and [...], and any others.
            n_support: molecules of the support, or of each head's.
        """
        weight, bias = (parameters[name] for name in self.PARAMETERS)
        scale = self.temperature(n_support)
        scaled = scale[..., None] * weight, scale * bias
        return {**parameters, **dict(zip(self.PARAMETERS, scaled, strict=True))}

    def forward(self, parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Logits [..., n] under weights [..., dim] and biases [...]: of one head or of several."""
        weight, bias = (parameters[name] for name in self.PARAMETERS)
        logits: Tensor = weight @ features.T + bias[..., None]
        return logits

    def loss(self, parameters: Mapping[str, Tensor], features: Tensor, labels: Tensor) -> Tensor:
        """Mean binary cross-entropy over molecules; of several heads the sum.

        A sum gives each head the gradient that it would have alone.
        """
        logits = self(parameters, features)
        targets = labels.to(logits).expand_as(logits)
        losses = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return losses.mean(-1).sum()

    def predict(self, parameters: Mapping[str, Tensor], features: Tensor) -> Prediction:
        """What one head says of each molecule; it has no account of its uncertainty."""
        logit = self(parameters, features)
        return Prediction(logit, torch.full_like(logit, torch.nan))


def as_vector(parameters: Mapping[str, Tensor]) -> Tensor:
    """Weight [dim] and bias [] in one vector: [dim + 1]."""
    return torch.cat([parameters[name].reshape(-1) for name in LinearHead.PARAMETERS])


def from_vector(vector: Tensor) -> dict[str, Tensor]:
    """Weights [..., dim] and biases [...] from vectors [..., dim + 1]."""
    return dict(zip(LinearHead.PARAMETERS, (vector[..., :-1], vector[..., -1]), strict=True))
