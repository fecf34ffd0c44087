"""Prototypical networks (Snell et al. 2017), with a metric that follows the support."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, HeadLearner, Prediction
from molmeta.learners.parts import AVERAGE, LEARNED, Parts
from molmeta.learners.prototypes import (
    RIDGE,
    ClassMetric,
    class_log_odds,
    prototypes,
)
from molmeta.learners.size_law import SizeLaw
from molmeta.learners.space import Float, Range

_START_LEVEL = 1.5
"""Of the temperature."""


@dataclass(frozen=True, slots=True)
class ProtoNetConfig:
    """Settings of a ProtoNet."""

    ridge: float = RIDGE
    """How much Euclid's metric counts beside the spread within the classes (see `ClassMetric`)."""
    class_prior: float = 1.0
    """How much of the log odds of the support's class counts is added to the logit; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse what cannot be computed.

        Raises:
            ConfigError: a ridge that leaves a covariance singular.
        """
        if self.ridge <= 0:
            raise ConfigError(f"learner.ridge must be above 0, not {self.ridge}.")


class ProtoNet(HeadLearner):
    """A molecule is as active as it is near the mean of the actives (Snell et al. 2017, eq. 2).

    Near by the `ClassMetric`. FS-Mol has a metric for each class instead, shrunk towards the whole
    support's covariance (Bateni et al. 2020, "Simple CNAPS"), and trains its encoder for days
    against the noise of that. Other departures: embeddings are brought to length √dim, as the
    encoder is pre-trained on their direction alone; distances are divided by dim and scaled by a
    learned temperature (see `SizeLaw`), because raw ones in 256 dimensions give probabilities of 0
    and 1; and the log odds of the class counts are kept, because a support that keeps the assay's
    ratio tells something.
    """

    Config = ProtoNetConfig
    # class_prior adds the same to every logit of a task, which changes no order.
    search_space: ClassVar[Mapping[str, Range]] = {"ridge": Float(1, 1e3, log=True)}

    def __init__(
        self, encoder: EncoderConfig, config: ProtoNetConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.temperature = SizeLaw(_START_LEVEL)

    @property
    def length(self) -> float:
        """√dim."""
        return math.sqrt(self.encoder.dim)

    def fit_head(self, support: Embedded, labels: Tensor) -> PrototypeHead:
        """The head for a support of both classes; labels [n_support]."""
        vectors = support.vectors
        means = prototypes(vectors, labels)
        metric = ClassMetric.of(vectors, labels, self.config.ridge)
        prior = class_log_odds(labels) * self.config.class_prior
        scale = self.temperature(len(labels)) / vectors.shape[1]
        slope = 2 * scale * metric(means.diff(dim=0))[0]
        return PrototypeHead(vectors, labels, means.mean(0), metric, prior, scale, slope)


@dataclass(frozen=True, slots=True)
class PrototypeHead:
    """The distances to two prototypes, as a log odds."""

    support: Tensor
    """[n_support, dim]."""
    labels: Tensor
    """[n_support]."""
    middle: Tensor
    """[dim], between the prototypes."""
    metric: ClassMetric
    prior: Tensor
    """[], log odds of the class counts."""
    scale: Tensor
    """[], from squared distances to log odds."""
    slope: Tensor
    """[dim], of the log odds: with one metric they are linear in the molecule."""

    def __call__(self, query: Embedded) -> Prediction:
        """The log odds of each molecule; a distance has no account of its uncertainty."""
        logit = query.vectors @ self.slope + (self.prior - self.middle @ self.slope)
        return Prediction(logit, torch.full_like(logit, torch.nan))

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the log odds, the metric taken as it is.

        From the point half-way between the prototypes, q and s the offsets of a query and a support
        molecule, each of the n of its class brings ±2 q'Ps / n.
        """
        pulls = self.metric(self.support - self.middle) @ (query.vectors - self.middle).T
        active = self.labels == 1
        share = torch.where(active, 1 / active.sum(), -1 / (~active).sum())
        return Parts(
            {AVERAGE: self.prior.expand(len(query.vectors))},
            {LEARNED: 2 * self.scale * share[:, None] * pulls},
        )
