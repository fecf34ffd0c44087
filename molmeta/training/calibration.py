"""Fit what a learner has of settings, two to a few dozen numbers, on assays that it has not seen.

On the assays that it was trained on an encoder looks better than it is, and a head fitted there
trusts it too much. So some meta-train assays are set aside (see `set_aside`), and temperatures,
kernel weights and noise are fitted on those. The compound memory knows them too: it is asked as it
would be without the assay at hand. Validation assays then judge a model that has not seen them at
all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from molmeta.assays.episodes import can_split, random_split
from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, Task
from molmeta.errors import ConfigError
from molmeta.evaluation.value_protocol import has_values
from molmeta.learners.base import Embedded, HeadLearner, Learner
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.values import ValueHeadLearner, teaches_values
from molmeta.training.decks import deck
from molmeta.training.schedule import mixed_seed

_SHARES = np.array([0.5, 0.25, 0.25])
"""Of the draws of whole assays: new chemistry, known compounds, panels."""
_PANEL = 30
"""Other assays that know a compound of a large panel."""
_DECKS = 0.25
"""Share of the draws that are decks."""
_MOST_ALIKE = (0.2, 0.6)
"""Between these, how alike two compounds of a deck may be."""
_OF_DECKS = (30, 300)
"""Compounds of an assay that decks are made of, at least, and what counts at most."""


@dataclass(frozen=True, slots=True)
class CalibrationConfig:
    """Settings of the fit; `steps = 0` leaves it out."""

    steps: int = 0
    tasks_per_step: int = 16
    support_sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256)
    query_size: int = 128
    learning_rate: float = 0.03
    share: float = 0.1
    """Of the meta-train assays, set aside for the fit: no weight is trained on them."""
    memory_dropout: float = 0.1
    """Chance that an episode goes without the compound memory."""

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigError: naming the setting.
        """
        if self.steps < 0:
            raise ConfigError(f"calibration.steps must not be below 0, and is {self.steps}.")
        for name in ("tasks_per_step", "query_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"calibration.{name} must be above 0.")
        if not self.support_sizes or min(self.support_sizes) < 2:
            raise ConfigError("calibration.support_sizes needs totals of at least 2.")
        if not 0 <= self.memory_dropout <= 1:
            raise ConfigError("calibration.memory_dropout must be in 0..1.")
        if not 0 < self.share < 1:
            raise ConfigError("calibration.share must be above 0 and below 1.")


@dataclass(frozen=True, slots=True)
class _Assay:
    """One to draw episodes from."""

    task: Task
    molecules: Embedded
    place: int | None
    """In the learner's memory; None where that does not hold it."""

    def memory(self, memory: CompoundMemory | None) -> CompoundMemory | None:
        """`memory` as it would be had this assay never been measured."""
        return memory if memory is None or self.place is None else memory.without(self.place)

    def split(
        self, size: int, config: CalibrationConfig, rng: np.random.Generator, *, is_deck: bool
    ) -> tuple[Tensor, Tensor]:
        """Rows of a support of `size` and of a query, on the CPU.

        Args:
            size: of the support, at most.
            config: with the size of the query.
            rng: of the draw.
            is_deck: whether to draw from a deck, where one can be split.
        """
        if is_deck:
            rows = deck(self.molecules.molecules, rng.uniform(*_MOST_ALIKE), rng)
            part = self.task.gather(rows)
            if can_split(part):
                support, query = random_split(part, size, config.query_size, rng)
                return rows[support], rows[query]
        return random_split(self.task, size, config.query_size, rng)


def calibrate(
    learner: Learner,
    assays: AssayStore,
    config: CalibrationConfig,
    seed: int,
    places: Sequence[int] | None = None,
) -> None:
    """Fit what `learner.calibrated` names, in place, by the episodes' loss.

    Settings of values are fitted after those of classes, where assays have values, by density and
    squared error.

    Args:
        learner: in evaluation mode, with its memory.
        assays: that the encoder was not trained on.
        config: with at least one step.
        seed: of the episodes.
        places: of the assays in the learner's memory; None where it does not hold them.

    Raises:
        ConfigError: no assay can be split.
    """
    known = [None] * len(assays) if places is None else places
    fitting = [
        _Assay(task, _embed(learner, assays, task), place)
        for task, place in zip(assays, known, strict=True)
        if can_split(task)
    ]
    if not fitting:
        raise ConfigError("No assay to calibrate on can be split: set calibration.steps to 0.")
    _lower(_class_loss, learner, fitting, config, seed)
    if isinstance(learner, ValueHeadLearner):
        with_values = []
        for assay in fitting:
            if has_values(assay.task):
                # With its bounds, and with these taken for values, as many published tables do.
                relations = torch.zeros_like(assay.task.relations)
                points = replace(assay.task, relations=relations)
                with_values += [assay, replace(assay, task=points)]
        if with_values:
            _lower(_value_loss, learner, with_values, config, seed)


EpisodeLoss = Callable[[Any, Embedded, Task, Tensor, Tensor], Tensor | None]
"""Of a learner with its memory or without, a task and its encoded molecules, support rows and query
rows; None where the support teaches nothing."""


def _class_loss(
    learner: Learner, embedded: Embedded, task: Task, support: Tensor, query: Tensor
) -> Tensor:
    labels = task.labels.to(embedded.vectors.device)
    if isinstance(learner, HeadLearner):
        head = learner.fit_head(embedded.gather(support), labels[support])
        logits = head(embedded.gather(query)).logit
    else:
        molecules = embedded.molecules
        predictor = learner.adapt(LabeledMolecules(molecules.gather(support), labels[support]))
        logits = predictor(molecules.gather(query)).logit
    return nn.functional.binary_cross_entropy_with_logits(logits, labels[query])


def _value_loss(
    learner: ValueHeadLearner, embedded: Embedded, task: Task, support: Tensor, query: Tensor
) -> Tensor | None:
    values = task.log_values.to(embedded.vectors.device)
    relations = task.relations.to(values.device)
    if not teaches_values(values[support], relations[support]):
        return None
    head = learner.fit_value_head(embedded.gather(support), values[support], relations[support])
    prediction = head(embedded.gather(query))
    surprise = -prediction.log_density(values[query], relations[query]).mean()
    points = relations[query] == 0
    means, measured = prediction.mean[points], values[query][points]
    return surprise + _unexplained(means, measured, values[support])


def _unexplained(means: Tensor, measured: Tensor, support: Tensor) -> Tensor:
    """What predictions [n] leave of the spread of `measured` [n] around the support's mean: [].

    1 - R² as it is judged, with the variance of the support added to the spread, so that few
    values that happen to be near its mean do not count without end. The density alone is content
    with a wide interval where a better mean could be had.
    """
    measured, support = measured.double(), support.double()
    spread = (measured - support.mean()).square().sum() + support.var()
    return (measured - means).square().sum() / spread


def _lower(
    loss_of: EpisodeLoss,
    learner: Learner,
    assays: Sequence[_Assay],
    config: CalibrationConfig,
    seed: int,
) -> None:
    """Descend the mean loss of random episodes, in place."""
    fitted = learner.calibrated
    optimizer = torch.optim.Adam(fitted, lr=config.learning_rate)
    rng = np.random.default_rng(mixed_seed(seed, len(assays)))
    memory = learner.memory
    kinds = _kinds(assays, memory)
    whole, decks = _chances(kinds), _chances_of_decks(assays, kinds)
    for step in tqdm(range(config.steps), desc="calibrate", unit="step", disable=None):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 - step / config.steps)
        optimizer.zero_grad(set_to_none=True)
        for _ in range(config.tasks_per_step):
            is_deck = decks is not None and rng.random() < _DECKS
            assay = assays[rng.choice(len(assays), p=decks if is_deck else whole)]
            rows = assay.split(int(rng.choice(config.support_sizes)), config, rng, is_deck=is_deck)
            support, query = (r.to(assay.molecules.vectors.device) for r in rows)
            forgets = rng.random() < config.memory_dropout
            learner.memory = None if forgets else assay.memory(memory)
            loss = loss_of(learner, assay.molecules, assay.task, support, query)
            if loss is not None:
                (loss / config.tasks_per_step).backward(inputs=fitted)  # type: ignore[no-untyped-call]
        optimizer.step()
    learner.memory = memory


def _kinds(assays: Sequence[_Assay], memory: CompoundMemory | None) -> NDArray[np.int64]:
    """0 for new chemistry, 1 for known compounds, 2 for those of large panels: [n]."""
    kinds = np.zeros(len(assays), dtype=np.int64)
    if memory is not None:
        for place, assay in enumerate(assays):
            n_others = memory.n_assays(assay.molecules.molecules) - int(assay.place is not None)
            if float((n_others > 0).double().mean()) >= 0.5:
                kinds[place] = 1 + int(float(n_others.median()) >= _PANEL)
    return kinds


def _chances(kinds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Chance of each assay to be drawn as a whole: [n].

    By `_SHARES`, however many assays there are of each of `kinds` [n], because settings that suit
    one kind do not suit the others.
    """
    chances: NDArray[np.float64] = (_SHARES / np.bincount(kinds, minlength=len(_SHARES)).clip(1))[
        kinds
    ]
    total: float = chances.sum()
    return chances / total


def _chances_of_decks(
    assays: Sequence[_Assay], kinds: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Chance of each assay to have a deck made of it: [n]; None where all are too small.

    By its size, and none for large panels, which are decks as they are.
    """
    fewest, most = _OF_DECKS
    sizes = np.array([len(assay.task) for assay in assays])
    chances: NDArray[np.float64] = np.where((sizes < fewest) | (kinds == 2), 0, sizes.clip(0, most))
    total: float = chances.sum()
    return chances / total if total else None


@torch.no_grad()
def _embed(learner: Learner, assays: AssayStore, task: Task) -> Embedded:
    molecules = assays.molecules.gather(task.molecules.to(assays.molecules.device))
    if isinstance(learner, HeadLearner):
        return learner.embed(molecules)
    # An encoder that adapts has no vectors to keep.
    return Embedded(torch.empty(len(molecules), 0, device=molecules.device), molecules)
