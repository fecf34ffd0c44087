"""A transformer that reads the labelled support and judges each query molecule in its context."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from molmeta.chem.similarity import tanimoto
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Head, HeadLearner, Prediction
from molmeta.learners.prototypes import class_log_odds
from molmeta.learners.setting import Setting
from molmeta.learners.size_law import SizeLaw

_UNKNOWN = 2
_STEEPEST_SLOPE = 8.0


@dataclass(frozen=True, slots=True)
class InContextConfig:
    """Settings of an InContext transformer."""

    layers: int = 2
    width: int = 128
    heads: int = 4

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            ConfigError: a size below 1, or heads that do not divide the width.
        """
        for name in ("layers", "width", "heads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"learner.{name} must be at least 1, not {getattr(self, name)}.")
        if self.width % self.heads:
            raise ConfigError(
                f"learner.width must be a multiple of learner.heads; {self.width} is none of "
                f"{self.heads}."
            )


class ContextLayer(nn.Module):
    """One pre-norm transformer layer in which molecules read the support and nothing else.

    Attention of head h: softmax(k·q/√d + b_h·Tanimoto + c_h·cosine), where the slopes b_h and c_h
    start at powers of two, as in ALiBi (Press et al. 2022). Without them a query compound's few
    relatives drown among 256 strangers, and attention flattens as the support grows.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.slopes = Setting((_STEEPEST_SLOPE / 2 ** torch.arange(heads)).repeat(2, 1))
        """[2, heads]: of Tanimoto similarity and of the cosine."""
        self.mix = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor, support: Tensor, similarities: Tensor) -> Tensor:
        """Tokens [n, width] that have read the support's.

        Args:
            tokens: [n, width].
            support: [n_support, width], the support's tokens before this layer.
            similarities: [2, n, n_support], Tanimoto and cosine.
        """
        keys, values = self.keys_values(self.norm(support)).chunk(2, dim=1)
        queries, keys, values = (
            part.unflatten(1, (self.heads, part.shape[1] // self.heads)).transpose(0, 1)
            for part in (self.queries(self.norm(tokens)), keys, values)
        )
        bias = torch.einsum("sh,snm->hnm", self.slopes, similarities)
        read = nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        tokens = tokens + self.mix(read.transpose(0, 1).flatten(1))
        mixed: Tensor = tokens + self.feed_forward(tokens)
        return mixed


class InContext(HeadLearner):
    """A small transformer whose adaptation is one pass over the support.

    A conditional neural process (Garnelo et al. 2018: a representation of the labelled context,
    then each target from it alone) with attention in place of the mean, as in attentive neural
    processes (Kim et al. 2019) and CAMP (Fifty et al. 2023). A token is a projected embedding plus
    that of its label: inactive, active, or not known. The support reads itself, a query molecule
    the support, layer by layer; without positions the order of the support means nothing. The logit
    is a linear function of the last token at a learned temperature (see `SizeLaw`), plus the log
    odds of the class counts, as attention averages and so loses how sure a ratio is. Departures:
    the attention is drawn to similar molecules (see `ContextLayer`); query molecules do not see
    each other, so that a score is of one molecule alone; no latent variable, and so no uncertainty
    of its own.
    """

    Config = InContextConfig

    def __init__(
        self, encoder: EncoderConfig, config: InContextConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.project = nn.Linear(self.encoder.dim, config.width)
        self.label = nn.Embedding(3, config.width)
        self.layers = nn.ModuleList(
            ContextLayer(config.width, config.heads) for _ in range(config.layers)
        )
        self.readout = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, 1))
        self.temperature = SizeLaw()

    @property
    def length(self) -> float:
        """√dim."""
        return math.sqrt(self.encoder.dim)

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The head for a support of both classes; labels [n_support]."""
        similarities = pair_similarities(support, support)
        # What each layer offers the query: the support's tokens before it.
        contexts = [self.project(support.vectors) + self.label(labels.long())]
        for layer in self.layers[:-1]:
            contexts.append(layer(contexts[-1], contexts[-1], similarities))
        prior = class_log_odds(labels)
        scale = self.temperature(len(labels))

        def head(query: Embedded) -> Prediction:
            unknown = torch.full((len(query.vectors),), _UNKNOWN, device=labels.device)
            tokens = self.project(query.vectors) + self.label(unknown)
            similarities = pair_similarities(support, query)
            for layer, context in zip(self.layers, contexts, strict=True):
                tokens = layer(tokens, context, similarities)
            logit = scale * self.readout(tokens)[:, 0] + prior
            return Prediction(logit, torch.full_like(logit, torch.nan))

        return head


def pair_similarities(support: Embedded, others: Embedded) -> Tensor:
    """Tanimoto similarity and cosine between other molecules and the support: [2, n, n_support]."""
    structure = support.pairs(tanimoto, others).T
    cosine = others.vectors @ support.vectors.T / support.vectors.shape[1]
    return torch.stack([structure, cosine])
