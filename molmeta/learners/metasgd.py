"""Meta-SGD: the direction of the inner step is learned, not only its start and its length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.assays.task import LabeledMolecules
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.learners.base import Predictor
from molmeta.learners.descent import FullDescent, FullDescentConfig
from molmeta.learners.setting import Setting
from molmeta.learners.space import Int, Range


@dataclass(frozen=True, slots=True)
class MetaSGDConfig(FullDescentConfig):
    """Settings of Meta-SGD. All but `head_init` may be changed after meta-training."""

    inner_steps: int = 1


class MetaSGD(FullDescent):
    """θ' = θ - α∘∇L_support(θ), with α learned in size and sign (Li et al. 2017, eq. 2).

    Where α differs from entry to entry the step leaves the gradient's direction, and where it turns
    negative the step climbs; MAML's learned rates do neither. Departures: a group of weights shares
    its α, because 16 labels cannot tell what to do with each weight: the weights into one unit do
    (a row of a matrix), and each entry of a vector stands for itself, so that the head has an α for
    each dimension of the embedding. And α is learned in multiples of the rates in the settings, so
    that those can be tuned after meta-training.
    """

    Config = MetaSGDConfig
    config: MetaSGDConfig
    search_space: ClassVar[Mapping[str, Range]] = {
        **FullDescent.search_space,
        "inner_steps": Int(1, 5),
    }

    def __init__(
        self, encoder: EncoderConfig, config: MetaSGDConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, config, backend)
        encoder_shapes = {f"encoder.{n}": p.shape for n, p in self.encoder.named_parameters()}
        head_shapes = {"head.weight": (self.encoder.dim,), "head.bias": ()}
        # One for each entry along the first dimension, in the order of `first_rates`.
        self.group_shapes = {
            name: (*shape[:1], *[1] * (len(shape) - 1))
            for name, shape in (encoder_shapes | head_shapes).items()
        }
        self.sizes = [torch.Size(shape).numel() for shape in self.group_shapes.values()]
        self.multiples = Setting(torch.empty(sum(self.sizes)))
        # Between half and all of a rate, drawn at random, as in the paper.
        nn.init.uniform_(self.multiples, 0.5, 1.0)

    def rates(self) -> dict[str, Tensor]:
        """α of each parameter, in a shape that broadcasts to its own."""
        groups = torch.split(self.multiples, self.sizes)
        first = self.first_rates()
        return {
            name: first[name] * group.view(shape)
            for (name, shape), group in zip(self.group_shapes.items(), groups, strict=True)
        }

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        steps = [self.rates()] * self.config.inner_steps
        return self.after_steps(support, steps, first_order=False)
