"""The inner loops of many tasks as one, over weights that are stacked: what a GPU likes.

Equal to `FullDescent.after_steps` on each task (tested in double precision, also the gradients of
the outer loop). For 16 tasks it issues a thirteenth of the operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from molmeta.assays.episodes import EpisodeBatch
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.stacked import encode_stacked
from molmeta.learners.descent import FullDescent, descend, of_encoder
from molmeta.learners.linear_head import LinearHead


@dataclass(frozen=True, slots=True)
class Side:
    """The supports of several episodes, one after another, or their queries."""

    molecules: MoleculeBatch
    labels: Tensor
    """[n], float32."""
    sizes: list[int]
    """How many molecules each episode has."""
    task: Tensor
    """[n], int64: the episode of each molecule."""

    @classmethod
    def of(cls, episodes: EpisodeBatch, rows: Sequence[Tensor]) -> Self:
        """The molecules at `rows`, [n_i] of each episode."""
        sizes = [len(of_episode) for of_episode in rows]
        places = torch.cat(list(rows))
        task = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)).to(places.device)
        return cls(episodes.molecules.gather(places), episodes.labels[places], sizes, task)


def stacked_logits(
    learner: FullDescent,
    episodes: EpisodeBatch,
    rates: Sequence[Mapping[str, Tensor]],
    *,
    first_order: bool,
) -> list[Tensor]:
    """Logits [n_query] of each episode after its inner loop.

    Args:
        learner: which says where the loops start.
        episodes: whose supports have both classes.
        rates: for each step those of each parameter, [n_tasks].
        first_order: as in `inner_loop`.
    """
    support, query = (Side.of(episodes, rows) for rows in (episodes.support, episodes.query))
    start = _start(learner, support)
    weights = torch.tensor(support.sizes).to(start[LinearHead.PARAMETERS[0]]).reciprocal()

    def loss(point: Mapping[str, Tensor]) -> Tensor:
        """The sum over tasks of the mean over molecules: each task's gradient is its own."""
        logits = _logits(learner, point, support)
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, support.labels.to(logits), reduction="none"
        )
        return losses @ weights.index_select(0, support.task)

    # In shapes that broadcast to the parameters' [n_tasks, ...].
    steps = [
        {name: rate.view(-1, *[1] * (start[name].ndim - 1)) for name, rate in step.items()}
        for step in rates
    ]
    adapted = descend(learner, start, loss, steps, first_order=first_order)
    finished = learner.head.finished(adapted, support.sizes)
    return list(torch.split(_logits(learner, finished, query), query.sizes))


def _start(learner: FullDescent, support: Side) -> dict[str, Tensor]:
    """Every parameter as it is before the first step, [n_tasks, ...]."""
    features = torch.split(learner.head.features(learner.encoder(support.molecules)), support.sizes)
    labels = torch.split(support.labels, support.sizes)
    heads = [learner.head.start(*of_task) for of_task in zip(features, labels, strict=True)]
    encoder = {
        f"encoder.{name}": value.expand(len(heads), *value.shape)
        for name, value in learner.encoder.named_parameters()
    }
    return encoder | {name: torch.stack([head[name] for head in heads]) for name in heads[0]}


def _logits(learner: FullDescent, parameters: Mapping[str, Tensor], side: Side) -> Tensor:
    """Logits [n] under the parameters [n_tasks, ...]."""
    vectors = encode_stacked(learner.encoder, of_encoder(parameters), side.molecules, side.sizes)
    weight, bias = (parameters[name].index_select(0, side.task) for name in LinearHead.PARAMETERS)
    return (learner.head.features(vectors) * weight).sum(1) + bias
