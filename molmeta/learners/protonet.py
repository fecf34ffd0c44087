"""Prototypical networks (Snell et al. 2017), with Euclidean or shrunk Mahalanobis distance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, HeadLearner, Prediction, require_both_classes
from molmeta.learners.parts import AVERAGE, LEARNED, METRIC, Parts
from molmeta.learners.setting import Setting
from molmeta.learners.space import Choice, Float, Range

_START_LOG_TEMPERATURE = 1.5


@dataclass(frozen=True, slots=True)
class ProtoNetConfig:
    """Settings of a ProtoNet."""

    distance: Literal["euclidean", "mahalanobis"] = "euclidean"
    ridge: float = 10.0
    """Added to the diagonal of each covariance; mahalanobis only."""
    class_prior: float = 1.0
    """How much of the log odds of the support's class counts is added to the logit; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse what cannot be computed.

        Raises:
            ConfigError: an unknown distance, or a ridge that leaves a covariance singular.
        """
        if self.distance not in ("euclidean", "mahalanobis"):
            raise ConfigError(
                f"learner.distance must be euclidean or mahalanobis, not {self.distance!r}."
            )
        if self.ridge <= 0:
            raise ConfigError(f"learner.ridge must be above 0, not {self.ridge}.")


class ProtoNet(HeadLearner):
    """A molecule is as active as it is near the mean of the actives (Snell et al. 2017, eq. 2).

    The Mahalanobis form measures each class with its own precision, shrunk towards the whole
    support's covariance (Bateni et al. 2020, "Simple CNAPS", as used by FS-Mol). Departures:
    embeddings are brought to length √dim, as the encoder is pre-trained on their direction alone;
    distances are divided by dim and a learned temperature scales the logit, because raw distances
    in 256 dimensions give probabilities of 0 and 1; the log odds of the class counts are kept,
    because a support that keeps the assay's ratio tells something; and the ridge is 10, not
    FS-Mol's 0.1, which leaves the precision to the noise of 8 compounds a class.
    """

    Config = ProtoNetConfig
    # class_prior adds the same to every logit of a task, which changes no order.
    search_space: ClassVar[Mapping[str, Range]] = {
        "distance": Choice(("euclidean", "mahalanobis")),
        "ridge": Float(1e-2, 100, log=True),
    }

    def __init__(
        self, encoder: EncoderConfig, config: ProtoNetConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.log_temperature = Setting(torch.tensor(_START_LOG_TEMPERATURE))

    @property
    def length(self) -> float:
        """√dim."""
        return math.sqrt(self.encoder.dim)

    def fit_head(self, support: Embedded, labels: Tensor) -> PrototypeHead:
        """The head for a support of both classes; labels [n_support]."""
        vectors = support.vectors
        means = prototypes(vectors, labels)
        precisions = None
        if self.config.distance == "mahalanobis":
            precisions = torch.stack(
                [shrunk_precision(vectors, labels == value, self.config.ridge) for value in (0, 1)]
            )
        prior = class_log_odds(labels) * self.config.class_prior
        scale = self.log_temperature.exp() / vectors.shape[1]
        return PrototypeHead(vectors, labels, means, precisions, prior, scale)


@dataclass(frozen=True, slots=True)
class PrototypeHead:
    """The distances to two prototypes, as a log odds."""

    support: Tensor
    """[n_support, dim]."""
    labels: Tensor
    """[n_support]."""
    means: Tensor
    """[2, dim], the prototypes."""
    precisions: Tensor | None
    """[2, dim, dim], the metric of each class; None where it is Euclid's."""
    prior: Tensor
    """[], log odds of the class counts."""
    scale: Tensor
    """[], from squared distances to log odds."""

    def __call__(self, query: Embedded) -> Prediction:
        """The log odds of each molecule; a distance has no account of its uncertainty."""
        if self.precisions is None:
            # |q - m|² - |q - m'|² is linear in q.
            slope = 2 * (self.means[1] - self.means[0])
            further = query.vectors @ slope - self.means.mean(0) @ slope
        else:
            offsets = query.vectors[:, None] - self.means  # [n, 2, dim]
            distances = torch.einsum("ncd,cde,nce->nc", offsets, self.precisions, offsets)
            further = distances[:, 0] - distances[:, 1]
        logit = self.scale * further + self.prior
        return Prediction(logit, torch.full_like(logit, torch.nan))

    def parts(self, query: Embedded) -> Parts:
        """What adds up to the log odds, the metrics taken as they are.

        From the point half-way between the prototypes, q and s the offsets of a query and a support
        molecule, the class c of n compounds and metric P brings Σ_s 2 q'Ps / n - q'Pq - μ'Pμ. With
        one metric the last two are equal for both classes.
        """
        metrics = self.precisions
        if metrics is None:
            metrics = torch.eye(self.means.shape[1], device=self.means.device).expand(2, -1, -1)
        middle = self.means.mean(0)
        offsets, means = query.vectors - middle, self.means - middle
        pulls = torch.einsum("nd,cde,se->csn", offsets, metrics, self.support - middle)
        active = self.labels == 1
        signed = torch.where(active[:, None], pulls[1] / active.sum(), -pulls[0] / (~active).sum())
        squares = torch.einsum("nd,cde,ne->cn", offsets, metrics, offsets)
        squares = squares + torch.einsum("cd,cde,ce->c", means, metrics, means)[:, None]
        base = {
            AVERAGE: self.prior.expand(len(offsets)),
            METRIC: self.scale * (squares[0] - squares[1]),
        }
        return Parts(base, {LEARNED: 2 * self.scale * signed})


def prototypes(vectors: Tensor, labels: Tensor) -> Tensor:
    """Mean embedding of each class (Snell et al. 2017, eq. 1).

    Args:
        vectors: [n_support, dim].
        labels: [n_support]; 1 is active.

    Returns:
        [2, dim]; row 0 inactive, row 1 active.

    Raises:
        SupportError: a class has no molecule. Dropping its row would swap the classes.
    """
    require_both_classes(labels)
    return torch.stack([vectors[labels == value].mean(0) for value in (0, 1)])


def class_log_odds(labels: Tensor) -> Tensor:
    """Log odds of the class counts of `labels` [n_support], with one of each added: []."""
    # The added ones keep a 1 : 15 support from shouting.
    actives = labels.sum()
    return torch.log((actives + 1) / (len(labels) - actives + 1))


def shrunk_precision(vectors: Tensor, members: Tensor, ridge: float) -> Tensor:
    """Inverse of λ·cov(class) + (1 − λ)·cov(support) + ridge·I, λ = n/(n + 1): [dim, dim].

    Args:
        vectors: [n_support, dim].
        members: [n_support], bool; the n molecules of the class.
        ridge: above 0, so that the inverse exists for any support.
    """
    n = int(members.sum())
    weight = n / (n + 1)
    identity = torch.eye(vectors.shape[1], device=vectors.device, dtype=vectors.dtype)
    mixed = weight * _covariance(vectors[members]) + (1 - weight) * _covariance(vectors)
    precision: Tensor = torch.linalg.inv(mixed + ridge * identity)
    return precision


def _covariance(vectors: Tensor) -> Tensor:
    centred = vectors - vectors.mean(0)
    return centred.T @ centred / max(len(vectors) - 1, 1)
