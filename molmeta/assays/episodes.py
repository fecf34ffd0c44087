"""Episodes: the split of a task into support and query, for training and for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.errors import ConfigError

MIN_QUERY = 8
"""An episode with fewer query molecules than this gives a gradient of noise."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One task seen as a user would: a few labelled molecules, and others to be judged."""

    assay_id: str
    support: LabeledMolecules
    query: LabeledMolecules


@dataclass(frozen=True, slots=True)
class EpisodeBatch:
    """Several episodes over one gathered MoleculeBatch, so that an encoder runs once for all."""

    molecules: MoleculeBatch
    """Support and query of the first episode, then of the second, ..."""
    labels: Tensor
    """[len(molecules)], float32."""
    support: tuple[Tensor, ...]
    """One [n_support] a task: rows of `molecules`."""
    query: tuple[Tensor, ...]
    """One [n_query] a task: rows of `molecules`."""
    assay_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.assay_ids)

    def __iter__(self) -> Iterator[Episode]:
        for name, support, query in zip(self.assay_ids, self.support, self.query, strict=True):
            yield Episode(name, self._labeled(support), self._labeled(query))

    def _labeled(self, rows: Tensor) -> LabeledMolecules:
        return LabeledMolecules(self.molecules.gather(rows), self.labels[rows])


def gather_episodes(
    store: AssayStore, draws: Sequence[tuple[Task, Tensor, Tensor]]
) -> EpisodeBatch:
    """The batch for `draws` of (task, support rows [n_support], query rows [n_query])."""
    device = store.molecules.device
    places, labels, support, query, start = [], [], [], [], 0
    for task, support_rows, query_rows in draws:
        rows = torch.cat([support_rows, query_rows])
        places.append(task.molecules[rows])
        labels.append(task.labels[rows])
        middle, end = start + len(support_rows), start + len(rows)
        support.append(torch.arange(start, middle, device=device))
        query.append(torch.arange(middle, end, device=device))
        start = end
    return EpisodeBatch(
        molecules=store.molecules.gather(torch.cat(places).to(device)),
        labels=torch.cat(labels).to(device),
        support=tuple(support),
        query=tuple(query),
        assay_ids=tuple(task.assay_id for task, _, _ in draws),
    )


class EpisodeSampler:
    """Random stratified episodes for meta-training, the same for the same seed and step.

    Support sizes are drawn from `support_sizes`, so that one learner serves all of them; a task
    too small for the drawn size gets the largest size that leaves `MIN_QUERY` molecules to ask.
    """

    def __init__(
        self,
        store: AssayStore,
        *,
        support_sizes: Sequence[int],
        query_size: int,
        task_weights: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        """Take the tasks that can be split.

        Args:
            store: the meta-train assays.
            support_sizes: totals, drawn with equal chance.
            query_size: at most this many query molecules an episode.
            task_weights: [len(store)], relative chance of each task; equal if None.
            seed: of the draws.

        Raises:
            ConfigError: no task has two classes and enough molecules.
        """
        self.store = store
        self.support_sizes = tuple(support_sizes)
        self.query_size = query_size
        self.seed = seed
        usable = [i for i, task in enumerate(store) if can_split(task)]
        if not usable:
            raise ConfigError(
                "No assay can be split into support and query: each needs two actives, two "
                f"inactives and at least {MIN_QUERY + 2} molecules."
            )
        self._tasks = [store.tasks[i] for i in usable]
        weights = torch.ones(len(store)) if task_weights is None else task_weights
        chosen = weights[usable].double().numpy()
        self._chances = chosen / chosen.sum()

    def draw(self, step: int, n_tasks: int, part: int = 0, n_parts: int = 1) -> EpisodeBatch:
        """The episodes of outer-loop step `step`; they depend on the seed and on nothing before.

        Args:
            step: of the outer loop.
            n_tasks: episodes of the whole step.
            part: which share of them to gather, where `n_parts` processes divide the step.
            n_parts: how many shares there are; task i goes to share i modulo `n_parts`.
        """
        rng = np.random.default_rng((self.seed, step))
        picked = rng.choice(len(self._tasks), size=n_tasks, p=self._chances)
        draws = []
        for i in picked:
            task = self._tasks[i]
            size = int(rng.choice(self.support_sizes))
            draws.append((task, *random_split(task, size, self.query_size, rng)))
        return gather_episodes(self.store, draws[part::n_parts])


def can_split(task: Task) -> bool:
    """Whether `random_split` takes it: two of each class, and `MIN_QUERY` molecules left over."""
    actives = int(task.labels.sum())
    return min(actives, len(task) - actives) >= 2 and len(task) >= MIN_QUERY + 2


def random_split(
    task: Task, support_size: int, query_size: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Support rows and query rows of `task`, which has two of each class, drawn with `rng`.

    The support keeps the task's ratio of classes; it is smaller than `support_size` where fewer
    than `MIN_QUERY` molecules would be left. The query has at most `query_size`.
    """
    labels = task.labels.numpy()
    size = min(support_size, len(task) - MIN_QUERY)
    actives = rng.permutation(np.flatnonzero(labels == 1))
    inactives = rng.permutation(np.flatnonzero(labels == 0))
    # Both classes stay on both sides, whatever the ratio.
    n_active = round(size * len(actives) / len(labels))
    n_active = min(max(n_active, 1, size - len(inactives) + 1), len(actives) - 1, size - 1)
    support = np.concatenate([actives[:n_active], inactives[: size - n_active]])
    rest = np.concatenate([actives[n_active:], inactives[size - n_active :]])
    query = rng.permutation(rest)[:query_size]
    return torch.from_numpy(support), torch.from_numpy(query)


def official_draw(
    labels: Tensor, support_size: int, run: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Draw `run` of the FS-Mol protocol (Stanley et al. 2021), as behind its published numbers.

    FS-Mol puts one class before the other, each in file order, and splits that order with
    scikit-learn's StratifiedShuffleSplit seeded by the run. Published per-task numbers come out
    only with the actives first: its `get_pos_neg_separated` returns them swapped.

    Args:
        labels: [n], in the order of the published file.
        support_size: total of the support.
        run: 0 to 9.

    Returns:
        Support rows and query rows as positions in `labels`, or None where the draw cannot be
        made: it is skipped, not shrunk.
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    values = labels.numpy()
    order = np.concatenate([np.flatnonzero(values == 1), np.flatnonzero(values == 0)])
    n_query = len(values) - support_size
    if n_query < 2:
        return None
    strata = 1 - values[order]
    splitter = StratifiedShuffleSplit(
        n_splits=1, train_size=support_size, test_size=n_query, random_state=run
    )
    try:
        support, query = next(splitter.split(order, strata))
    except ValueError:
        return None
    if len(set(strata[support])) < 2 or len(set(strata[query])) < 2:
        return None
    return order[support], order[query]
