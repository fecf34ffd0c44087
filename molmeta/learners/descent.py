"""What the learners share that adapt by gradient steps on the support's loss.

    HeadDescentConfig    settings of those whose head alone takes the steps
    FullDescent          those whose encoder takes them too
    descend              the inner loop, for a learner that may or may not be training

`LinearHead` says where the head starts, `inner_loop` how it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Learner, Predictor
from molmeta.learners.inner_loop import inner_loop
from molmeta.learners.linear_head import HeadInit, LinearHead
from molmeta.learners.space import Float, Int, Range


@dataclass(frozen=True, slots=True)
class HeadDescentConfig:
    """Settings of a head that takes gradient steps."""

    inner_steps: int = 3
    head_lr: float = 0.1
    """Inner learning rate that the head starts meta-training with."""
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
class FullDescentConfig(HeadDescentConfig):
    """Settings of an encoder and a head that take gradient steps."""

    encoder_lr: float = 0.01
    """Inner learning rate that the encoder starts meta-training with."""

    def __post_init__(self) -> None:
        """Refuse what cannot adapt.

        Raises:
            ConfigError: as for the head, or an encoder that stands still.
        """
        # The zero-argument super() fails in a dataclass with slots before Python 3.14.
        HeadDescentConfig.__post_init__(self)
        if self.encoder_lr <= 0:
            raise ConfigError(
                f"learner.encoder_lr must be above 0, not {self.encoder_lr}: "
                "to adapt the head alone, choose the learner anil."
            )


class FullDescent(Learner):
    """A learner whose encoder and linear head take steps together.

    While training, dropout is on in the inner loop too, with a new mask each pass, as it is on in
    the support of every other learner; in evaluation mode adaptation is deterministic.
    """

    config: FullDescentConfig
    search_space: ClassVar[Mapping[str, Range]] = {
        "inner_steps": Int(1, 10),
        "head_lr": Float(1e-3, 1, log=True),
        "encoder_lr": Float(1e-5, 0.1, log=True),
    }

    def __init__(
        self, encoder: EncoderConfig, config: FullDescentConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = FusedEncoder(encoder, backend)
        self.head = LinearHead(self.encoder.dim, config.head_init)

    def start(self, support: LabeledMolecules) -> dict[str, Tensor]:
        """Every parameter that takes the steps, as it is before the first."""
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        features = self.head.features(self.encoder(support.molecules))
        return encoder | self.head.start(features, support.labels)

    def first_rates(self) -> dict[str, float]:
        """The inner learning rate of each parameter, as the settings have it."""
        config = self.config
        encoder = [f"encoder.{name}" for name, _ in self.encoder.named_parameters()]
        head = dict.fromkeys(LinearHead.PARAMETERS, config.head_lr)
        return dict.fromkeys(encoder, config.encoder_lr) | head

    def features(self, parameters: Mapping[str, Tensor], molecules: MoleculeBatch) -> Tensor:
        """What the head sees of the molecules under other weights of the encoder: [n, dim]."""
        vectors = torch.func.functional_call(self.encoder, of_encoder(parameters), (molecules,))
        return self.head.features(vectors)

    def loss(self, parameters: Mapping[str, Tensor], task: LabeledMolecules) -> Tensor:
        """Mean binary cross-entropy over the molecules."""
        return self.head.loss(parameters, self.features(parameters, task.molecules), task.labels)

    def after_steps(
        self,
        support: LabeledMolecules,
        rates: Sequence[Mapping[str, Tensor | float]],
        *,
        first_order: bool,
    ) -> Predictor:
        """The predictor after a step on the support's loss for each of `rates`."""
        adapted = descend(
            self,
            self.start(support),
            lambda point: self.loss(point, support),
            rates,
            first_order=first_order,
        )
        finished = self.head.finished(adapted, len(support))
        return lambda molecules: self.head.predict(finished, self.features(finished, molecules))


def of_encoder(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the encoder, by its own names."""
    return {
        name.removeprefix("encoder."): value
        for name, value in parameters.items()
        if name.startswith("encoder.")
    }


def descend(
    learner: Learner,
    start: Mapping[str, Tensor],
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    rates: Sequence[Mapping[str, Tensor | float]],
    *,
    first_order: bool,
) -> dict[str, Tensor]:
    """The inner loop, differentiable where the outer loop will ask for it, else without a graph."""
    if learner.training and torch.is_grad_enabled():
        return inner_loop(start, loss, rates, first_order=first_order)
    return detached(inner_loop(detached(start), loss, rates, first_order=True))


def detached(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values, of which no gradient reaches what they were made from."""
    return {name: tensor.detach() for name, tensor in tensors.items()}
