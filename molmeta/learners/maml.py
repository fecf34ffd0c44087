"""MAML and its head-only form ANIL: adaptation by a few steps of gradient descent.

`LinearHead` says where the head starts, `inner_loop` how it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Head, HeadLearner, Learner, Prediction, Predictor
from molmeta.learners.inner_loop import InnerRates, inner_loop
from molmeta.learners.protonet import class_log_odds, prototypes
from molmeta.learners.space import Float, Int, Range

HeadInit = Literal["prototype", "learned"]

_START_RADIUS = 2.0


@dataclass(frozen=True, slots=True)
class ANILConfig:
    """Settings of ANIL. All but `head_init` may be changed after meta-training."""

    inner_steps: int = 3
    head_lr: float = 0.1
    """Inner learning rate that the head starts meta-training with."""
    learn_rates: bool = True
    """Whether the outer loop learns the inner learning rates, or leaves them as they start."""
    first_order: bool = False
    """Leave out the derivative of the inner gradients: half the memory, a biased meta-gradient."""
    head_init: HeadInit = "prototype"
    """Where the head starts: at the nearest-prototype rule of the support (Proto-MAML), or at
    weights that the outer loop learns from zero (MAML)."""

    def __post_init__(self) -> None:
        """Refuse what cannot adapt.

        Raises:
            ConfigError: no step, a head that stands still, or an unknown start.
        """
        if self.inner_steps < 1:
            raise ConfigError(f"learner.inner_steps must be at least 1, not {self.inner_steps}.")
        if self.head_lr <= 0:
            raise ConfigError(f"learner.head_lr must be above 0, not {self.head_lr}.")
        if self.head_init not in ("prototype", "learned"):
            raise ConfigError(
                f"learner.head_init must be prototype or learned, not {self.head_init!r}."
            )


@dataclass(frozen=True, slots=True)
class MAMLConfig(ANILConfig):
    """Settings of MAML. All but `head_init` may be changed after meta-training."""

    encoder_lr: float = 0.01
    """Inner learning rate that the encoder starts meta-training with."""

    def __post_init__(self) -> None:
        """Refuse what cannot adapt.

        Raises:
            ConfigError: as for ANIL, or an encoder that stands still.
        """
        # The zero-argument super() fails in a dataclass with slots before Python 3.14.
        ANILConfig.__post_init__(self)
        if self.encoder_lr <= 0:
            raise ConfigError(
                f"learner.encoder_lr must be above 0, not {self.encoder_lr}: "
                "to adapt the head alone, choose the learner anil."
            )


class LinearHead(nn.Module):
    """One logit from an embedding u at length r: r·u·w + b.

    From prototypes it starts at w = 2(μ₁ - μ₀), b = |μ₀|² - |μ₁|² (Proto-MAML, Triantafillou et
    al. 2020, sec. 3.1, as the difference of the two classes' logits). Departures: embeddings are
    brought to one learned length r, because their raw squared length, which grows with `dim` and
    in training, would scale the first logits and every step on the head; and the log odds of the
    class counts are added to b, as in ProtoNet. With those, the residuals of both classes weigh
    about the same in the first gradient, so that the loss needs no class weights.
    """

    PARAMETERS = ("head.weight", "head.bias")

    def __init__(self, dim: int, init: HeadInit) -> None:
        super().__init__()
        self.log_radius = nn.Parameter(torch.tensor(math.log(_START_RADIUS)))
        self.init: HeadInit = init
        if init == "learned":
            self.weight = nn.Parameter(torch.zeros(dim))
            self.bias = nn.Parameter(torch.zeros(()))

    def features(self, vectors: Tensor) -> Tensor:
        """Embeddings at length r: [n, dim]."""
        return self.log_radius.exp() * nn.functional.normalize(vectors, dim=1)

    def start(self, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Weight [dim] and bias [] before the first step, for a support of both classes."""
        prior = class_log_odds(labels)
        if self.init == "learned":
            weight, bias = self.weight, self.bias
        else:
            inactive, active = prototypes(features, labels)
            weight = 2 * (active - inactive)
            bias = inactive.square().sum() - active.square().sum()
        return dict(zip(self.PARAMETERS, (weight, bias + prior), strict=True))

    def forward(self, parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Logits [n] under a weight and a bias."""
        weight, bias = (parameters[name] for name in self.PARAMETERS)
        return features @ weight + bias


class ANIL(HeadLearner):
    """MAML on the head alone (Raghu et al. 2020): the encoder is the same for every task.

    Second order is cheap here, and each molecule is encoded once. Dropout acts on the embeddings
    while training and never otherwise.
    """

    Config = ANILConfig
    search_space: ClassVar[Mapping[str, Range]] = {
        "inner_steps": Int(1, 10),
        "head_lr": Float(1e-3, 1, log=True),
    }

    def __init__(
        self, encoder: EncoderConfig, config: ANILConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, backend)
        self.config = config
        self.head = LinearHead(self.encoder.dim, config.head_init)
        self.rates = InnerRates(LinearHead.PARAMETERS, config.learn_rates)

    def fit_head(self, support: Embedded, labels: Tensor) -> Head:
        """The head after the inner loop; labels [n_support], 1 active, 0 inactive."""
        features = self.head.features(support.vectors)
        start = self.head.start(features, labels)
        initial_rates = dict.fromkeys(start, self.config.head_lr)
        adapted = _descend(
            self,
            start,
            lambda point: _support_loss(self.head(point, features), labels),
            self.rates(initial_rates, self.config.inner_steps, len(labels)),
        )
        return lambda query: _predict(self.head(adapted, self.head.features(query.vectors)))


class MAML(Learner):
    """Model-agnostic meta-learning: encoder and linear head take steps on the support's loss.

    The loss is the support's mean binary cross-entropy. The same steps can be differentiated in
    full or to first order; `LinearHead` says where the head starts and `InnerRates` how long the
    steps are. While training, dropout is on in the inner loop too, with a new mask each pass, as
    it is on in the support of every other learner; in evaluation mode adaptation is deterministic.
    """

    Config = MAMLConfig
    search_space: ClassVar[Mapping[str, Range]] = {
        **ANIL.search_space,
        "encoder_lr": Float(1e-5, 0.1, log=True),
    }

    def __init__(
        self, encoder: EncoderConfig, config: MAMLConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = FusedEncoder(encoder, backend)
        self.head = LinearHead(self.encoder.dim, config.head_init)
        encoder_names = [f"encoder.{name}" for name, _ in self.encoder.named_parameters()]
        self.rates = InnerRates([*encoder_names, *LinearHead.PARAMETERS], config.learn_rates)

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        start: dict[str, Tensor] = {
            f"encoder.{name}": value for name, value in self.encoder.named_parameters()
        }
        initial_rates = dict.fromkeys(start, self.config.encoder_lr)
        features = self.head.features(self.encoder(support.molecules))
        start |= self.head.start(features, support.labels)
        initial_rates |= dict.fromkeys(LinearHead.PARAMETERS, self.config.head_lr)
        adapted = _descend(
            self,
            start,
            lambda point: _support_loss(self._logits(point, support.molecules), support.labels),
            self.rates(initial_rates, self.config.inner_steps, len(support)),
        )
        return lambda molecules: _predict(self._logits(adapted, molecules))

    def _logits(self, parameters: Mapping[str, Tensor], molecules: MoleculeBatch) -> Tensor:
        encoder = {
            name.removeprefix("encoder."): value
            for name, value in parameters.items()
            if name.startswith("encoder.")
        }
        vectors = torch.func.functional_call(self.encoder, encoder, (molecules,))
        logits: Tensor = self.head(parameters, self.head.features(vectors))
        return logits


def _descend(
    learner: ANIL | MAML,
    start: Mapping[str, Tensor],
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    rates: Sequence[Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """The inner loop, differentiable where the outer loop will ask for it, else without a graph."""
    if learner.training and torch.is_grad_enabled():
        return inner_loop(start, loss, rates, first_order=learner.config.first_order)
    constants = [_detached(step) for step in rates]
    return inner_loop(_detached(start), loss, constants, first_order=True)


def _detached(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _support_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits))


def _predict(logits: Tensor) -> Prediction:
    return Prediction(logits, torch.full_like(logits, torch.nan))
