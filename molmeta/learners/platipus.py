"""PLATIPUS: a distribution over where the inner loop starts, and so over what is predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.assays.episodes import EpisodeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import (
    Embedded,
    Head,
    HeadLearner,
    Prediction,
    require_both_classes,
)
from molmeta.learners.descent import HeadDescentConfig, descend
from molmeta.learners.inner_loop import InnerRates
from molmeta.learners.linear_head import LinearHead, as_vector, from_vector
from molmeta.learners.setting import Setting
from molmeta.learners.space import Float, Int, Range


@dataclass(frozen=True, slots=True)
class PlatipusConfig(HeadDescentConfig):
    """Settings of PLATIPUS. `inner_steps`, `head_lr` and `samples` may be changed later."""

    samples: int = 10
    """Heads that a prediction averages over; they come in pairs."""
    deviation: float = 0.1
    """Standard deviation of each weight that meta-training starts from."""

    def __post_init__(self) -> None:
        """Refuse what cannot adapt.

        Raises:
            ConfigError: as for any head, no pair of samples, or no deviation.
        """
        HeadDescentConfig.__post_init__(self)
        if self.samples < 2 or self.samples % 2:
            raise ConfigError(
                f"learner.samples must be even and at least 2, not {self.samples}: "
                "the samples come in pairs."
            )
        if self.deviation <= 0:
            raise ConfigError(f"learner.deviation must be above 0, not {self.deviation}.")


class DiagonalGaussian(nn.Module):
    """Independent normals about a mean that is given; the deviations are learned."""

    def __init__(self, dim: int, deviation: float) -> None:
        super().__init__()
        self.log_deviation = Setting(torch.full((dim,), math.log(deviation)))

    def sample(self, mean: Tensor, noise: Tensor) -> Tensor:
        """Draws [..., dim] about `mean` [dim], from standard normal `noise` [..., dim]."""
        return mean + self.log_deviation.exp() * noise

    def divergence(self, mean: Tensor, other: DiagonalGaussian, other_mean: Tensor) -> Tensor:
        """KL divergence from `other`, about its mean, to this one, about `mean`: []."""
        ratio = 2 * (self.log_deviation - other.log_deviation)
        distance = (mean - other_mean).square() / (2 * other.log_deviation).exp()
        return (ratio.exp() - ratio + distance - 1).sum() / 2


class Platipus(HeadLearner):
    """Probabilistic MAML (Finn et al. 2018) on the head: θ is drawn, then takes the inner steps.

    Training (algorithm 1): θ ~ q = N(μ - γ_q∇L_query(μ), σ_q²), then the steps on the support; the
    loss is the query's cross-entropy plus KL(q | p), p = N(μ - γ_p∇L_support(μ), σ_p²). Prediction
    (algorithm 2): θ ~ p. Rates and deviations are learned. Departures: the mean μ is where
    `LinearHead` says, and the encoder is the same for every draw; the divergence is divided by the
    query's size, as its cross-entropy is a mean; and a prediction takes the same draws each time,
    in pairs on either side of the mean, so that equal supports give equal numbers and the draws
    shift nothing. Its logit is that of the mean probability, its deviation that of the logits.
    """

    Config = PlatipusConfig
    search_space: ClassVar[Mapping[str, Range]] = {
        "inner_steps": Int(1, 10),
        "head_lr": Float(1e-3, 1, log=True),
    }

    def __init__(
        self, encoder: EncoderConfig, config: PlatipusConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.head = LinearHead(self.encoder.dim, config.head_init)
        self.prior = DiagonalGaussian(self.encoder.dim + 1, config.deviation)
        self.posterior = DiagonalGaussian(self.encoder.dim + 1, config.deviation)
        self.rates, self.prior_rates, self.posterior_rates = (
            InnerRates(LinearHead.PARAMETERS, learned=True) for _ in range(3)
        )

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The heads drawn for a support; labels [n_support], 1 active, 0 inactive."""
        features = self.head.features(support.vectors)
        mean = self._mean(self.head.start(features, labels), features, labels, self.prior_rates)
        generator = torch.Generator().manual_seed(0)
        half = torch.randn(self.config.samples // 2, len(mean), generator=generator).to(mean)
        drawn = self.prior.sample(mean, torch.cat([half, -half]))
        adapted = self._after_steps(drawn, features, labels)

        def head(query: Embedded) -> Prediction:
            logits = self.head(adapted, self.head.features(query.vectors))  # [samples, n]
            # In logarithms: the mean of probabilities may round to 0 or 1, this does not.
            active = nn.functional.logsigmoid(logits).logsumexp(0)
            inactive = nn.functional.logsigmoid(-logits).logsumexp(0)
            # Not std(), which warns where there are no molecules.
            spread = (logits - logits.mean(0)).square().mean(0).sqrt()
            return Prediction(active - inactive, spread)

        return head

    def meta_loss(self, episodes: EpisodeBatch) -> Tensor:
        """Mean over tasks of the negative evidence lower bound of a query molecule."""
        features = self.head.features(self.embed(episodes.molecules).vectors)
        losses = []
        for support, query in zip(episodes.support, episodes.query, strict=True):
            labels, query_labels = episodes.labels[support], episodes.labels[query]
            require_both_classes(labels)
            start = self.head.start(features[support], labels)
            prior = self._mean(start, features[support], labels, self.prior_rates)
            posterior = self._mean(start, features[query], query_labels, self.posterior_rates)
            drawn = self.posterior.sample(posterior, torch.randn_like(posterior))
            adapted = self._after_steps(drawn, features[support], labels)
            error = self.head.loss(adapted, features[query], query_labels)
            divergence = self.posterior.divergence(posterior, self.prior, prior)
            losses.append(error + divergence / len(query))
        return torch.stack(losses).mean()

    def _mean(
        self, start: Mapping[str, Tensor], features: Tensor, labels: Tensor, rates: InnerRates
    ) -> Tensor:
        """The head [dim + 1] one step from `start`, on molecules [n, dim] with labels [n]."""
        return as_vector(self._descend(start, features, labels, rates, n_steps=1))

    def _after_steps(self, drawn: Tensor, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Heads as they predict after the inner loop, from `drawn` [..., dim + 1]."""
        start = from_vector(drawn)
        adapted = self._descend(start, features, labels, self.rates, self.config.inner_steps)
        return self.head.finished(adapted, len(labels))

    def _descend(
        self,
        start: Mapping[str, Tensor],
        features: Tensor,
        labels: Tensor,
        rates: InnerRates,
        n_steps: int,
    ) -> dict[str, Tensor]:
        return descend(
            self,
            start,
            lambda point: self.head.loss(point, features, labels),
            rates(dict.fromkeys(start, self.config.head_lr), n_steps, len(labels)),
            first_order=False,
        )
