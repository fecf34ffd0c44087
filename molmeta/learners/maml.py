"""MAML and its head-only form ANIL: the start of the inner loop and its rates are learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.learners.base import (
    Embedded,
    Head,
    HeadLearner,
    Predictor,
    require_both_classes,
)
from molmeta.learners.descent import (
    FullDescent,
    FullDescentConfig,
    HeadDescentConfig,
    descend,
)
from molmeta.learners.inner_loop import InnerRates
from molmeta.learners.linear_head import LinearHead
from molmeta.learners.space import Float, Int, Range
from molmeta.learners.stacked_descent import stacked_logits


@dataclass(frozen=True, slots=True)
class ANILConfig(HeadDescentConfig):
    """Settings of ANIL. All but `head_init` may be changed after meta-training."""

    learn_rates: bool = True
    """Whether the outer loop learns the inner learning rates, or leaves them as they start."""
    first_order: bool = False
    """Leave out the derivative of the inner gradients: half the memory, a biased meta-gradient."""


@dataclass(frozen=True, slots=True)
class MAMLConfig(FullDescentConfig):
    """Settings of MAML. All but `head_init` may be changed after meta-training."""

    learn_rates: bool = True
    """Whether the outer loop learns the inner learning rates, or leaves them as they start."""
    first_order: bool = False
    """Leave out the derivative of the inner gradients: half the memory, a biased meta-gradient."""


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
        first_rates = dict.fromkeys(LinearHead.PARAMETERS, self.config.head_lr)
        adapted = descend(
            self,
            self.head.start(features, labels),
            lambda point: self.head.loss(point, features, labels),
            self.rates(first_rates, self.config.inner_steps, len(labels)),
            first_order=self.config.first_order,
        )
        finished = self.head.finished(adapted, len(labels))
        return lambda query: self.head.predict(finished, self.head.features(query.vectors))


class MAML(FullDescent):
    """Model-agnostic meta-learning (Finn et al. 2017): encoder and head take the inner steps.

    θ' = θ - α∇L_support(θ), a few times over; the outer loop lowers L_query(θ') by its derivative
    with respect to θ, in full or to first order. Departures: the head starts where `LinearHead`
    says, and the steps are as long as `InnerRates` has learned.
    """

    Config = MAMLConfig
    config: MAMLConfig

    def __init__(
        self, encoder: EncoderConfig, config: MAMLConfig, backend: Backend = "torch"
    ) -> None:
        super().__init__(encoder, config, backend)
        self.rates = InnerRates(list(self.first_rates()), config.learn_rates)

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        rates = self.rates(self.first_rates(), self.config.inner_steps, len(support))
        return self.after_steps(support, rates, first_order=self.config.first_order)

    def query_logits(self, episodes: EpisodeBatch) -> list[Tensor]:
        """Logits [n_query] of each episode: task by task on a CPU, else all tasks as one.

        A task keeps a CPU busy, and one loop for all of them only adds what fills up the smaller
        ones; a GPU waits for kernels to be issued, and one loop has a thirteenth of them.
        """
        if episodes.molecules.device.type == "cpu":
            return super().query_logits(episodes)
        return self.query_logits_as_one(episodes)

    def query_logits_as_one(self, episodes: EpisodeBatch) -> list[Tensor]:
        """`query_logits` with one inner loop for all tasks, on any device.

        Raises:
            SupportError: a support lacks one of the two classes.
        """
        for rows in episodes.support:
            require_both_classes(episodes.labels[rows])
        sizes = [len(rows) for rows in episodes.support]
        rates = self.rates(self.first_rates(), self.config.inner_steps, sizes)
        return stacked_logits(self, episodes, rates, first_order=self.config.first_order)
