"""Nearest centroid: the smallest learner there is, and where to begin with one of your own."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Head, HeadLearner, Prediction
from molmeta.learners.size_law import SizeLaw


@dataclass(frozen=True, slots=True)
class CentroidConfig:
    """Settings of a Centroid."""

    scale: float = 5.0
    """What a difference of one in cosine similarity adds to the log odds, before training."""

    def __post_init__(self) -> None:
        """Refuse what cannot rank.

        Raises:
            ConfigError: a scale that is not positive.
        """
        if self.scale <= 0:
            raise ConfigError(f"learner.scale must be above 0, not {self.scale}.")


class Centroid(HeadLearner):
    """Log odds = scale·(cos(x, mean of the actives) - cos(x, mean of the inactives)).

    The scale is learned and follows the size of the support, so that it can be calibrated.
    """

    Config = CentroidConfig

    def __init__(
        self, encoder: EncoderConfig, config: CentroidConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.scale = SizeLaw(math.log(config.scale))

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The head for a support of both classes; labels [n_support], 1 active, 0 inactive."""
        actives = support.vectors[labels == 1].mean(0, keepdim=True)
        inactives = support.vectors[labels == 0].mean(0, keepdim=True)
        scale = self.scale(len(labels))

        def head(query: Embedded) -> Prediction:
            nearer = torch.cosine_similarity(query.vectors, actives)
            nearer = nearer - torch.cosine_similarity(query.vectors, inactives)
            logit = scale * nearer
            return Prediction(logit, torch.full_like(logit, torch.nan))

        return head
