"""Reptile: the start moves to where the inner loop of each task ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from molmeta.assays.episodes import EpisodeBatch
from molmeta.assays.task import LabeledMolecules
from molmeta.learners.base import Predictor
from molmeta.learners.descent import FullDescent, FullDescentConfig, detached
from molmeta.learners.inner_loop import inner_loop
from molmeta.learners.linear_head import LinearHead


@dataclass(frozen=True, slots=True)
class ReptileConfig(FullDescentConfig):
    """Settings of Reptile. All but `head_init` may be changed after meta-training."""

    inner_steps: int = 5


class Reptile(FullDescent):
    """θ ← θ + ε(θ'_K - θ), θ'_K after K steps on a task (Nichol et al. 2018, algorithm 1).

    As in the paper, (θ - θ'_K)/α goes to the outer optimiser in place of a gradient, and a task's
    support and query are one set of compounds, of which each step sees another K-th: where they see
    different compounds, the steps also learn to agree. Departures: the inner steps are plain
    gradient descent, not Adam, whose first steps from a fresh state move every weight equally far
    whatever its gradient; and where the head starts at prototypes its own way is left out of the
    update, because the next task starts it anew.
    """

    Config = ReptileConfig
    config: ReptileConfig

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        steps = [self.first_rates()] * self.config.inner_steps
        return self.after_steps(support, steps, first_order=True)

    def meta_loss(self, episodes: EpisodeBatch) -> Tensor:
        """Mean over tasks of the loss on all compounds after the steps; its gradient is Reptile's.

        The head's radius and temperature, which take no steps, get that of this loss itself.
        """
        losses = []
        for support, query in zip(episodes.support, episodes.query, strict=True):
            rows = torch.cat([support, query])
            task = LabeledMolecules(episodes.molecules.gather(rows), episodes.labels[rows])
            start = self.start(task)
            adapted = self._after_a_pass(start, task)
            # <θ, (θ - θ')/α> has (θ - θ')/α as its gradient; less its own value it adds none.
            displacement = torch.stack(
                [
                    (start[name] * (start[name] - adapted[name]).detach() / rate).sum()
                    for name, rate in self.first_rates().items()
                    if self.head.init == "learned" or name not in LinearHead.PARAMETERS
                ]
            ).sum()
            error = self.loss(self.head.finished(adapted, len(task)), task)
            losses.append(error + displacement - displacement.detach())
        return torch.stack(losses).mean()

    def _after_a_pass(self, start: dict[str, Tensor], task: LabeledMolecules) -> dict[str, Tensor]:
        """The parameters, without a graph, after K steps; fewer if the task has fewer compounds."""
        adapted = detached(start)
        order = torch.randperm(len(task)).to(task.labels.device)
        for rows in order.chunk(self.config.inner_steps):
            part = LabeledMolecules(task.molecules.gather(rows), task.labels[rows])
            loss = partial(self.loss, task=part)
            adapted = inner_loop(adapted, loss, [self.first_rates()], first_order=True)
        return adapted
