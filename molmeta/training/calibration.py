"""Fit what is not the encoder, a few dozen numbers, on assays that the encoder has not seen.

On its own meta-train assays an encoder looks better than it is, and a head fitted there trusts it
too much. So kernel weights, noise and scales are fitted on the validation assays; what is reported
for those is cross-fitted: each assay is judged with settings that were fitted on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from molmeta.assays.episodes import can_split, random_split
from molmeta.assays.store import AssayStore
from molmeta.assays.task import Task
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import DrawResult, run_protocol
from molmeta.evaluation.value_protocol import has_values, run_value_task
from molmeta.learners.base import Embedded, HeadLearner, Learner
from molmeta.learners.values import ValueHeadLearner, ValueLearner, teaches_values
from molmeta.training.schedule import mixed_seed


@dataclass(frozen=True, slots=True)
class CalibrationConfig:
    """Settings of the fit; `steps = 0` leaves it out."""

    steps: int = 0
    tasks_per_step: int = 8
    support_sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256)
    query_size: int = 128
    learning_rate: float = 0.03
    memory_dropout: float = 0.3
    """Chance that an episode goes without the compound memory, as new chemistry does."""
    folds: int = 5
    """Of the assays, for the figures that are reported."""

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
        if self.folds < 2:
            raise ConfigError(f"calibration.folds must be at least 2, not {self.folds}.")


def calibrate(
    learner: Learner, valid: AssayStore, config: CalibrationConfig, seed: int
) -> HeadLearner:
    """Fit every parameter of `learner` outside its encoder, in place, by the episodes' loss.

    Settings of values are fitted after those of classes, where assays have values.

    Args:
        learner: in evaluation mode, with its memory.
        valid: assays that the encoder was not trained on.
        config: with at least one step.
        seed: of the episodes.

    Raises:
        ConfigError: the learner adapts its encoder, so that there is no head to fit alone, or no
            assay can be split.
    """
    if not isinstance(learner, HeadLearner):
        raise ConfigError(
            f"A {type(learner).__name__} adapts its encoder too: calibration.steps must be 0."
        )
    valid = replace(valid, tasks=tuple(task for task in valid if can_split(task)))
    if not len(valid):
        raise ConfigError("No validation assay to calibrate on can be split: set steps to 0.")
    embedded = _embed_tasks(learner, valid)
    _lower(_class_loss, learner, valid.tasks, embedded, config, seed)
    if isinstance(learner, ValueHeadLearner):
        tasks, molecules = [], []
        for task, of_task in zip(valid, embedded, strict=True):
            if has_values(task):
                # With its bounds, and with these taken for values, as many published tables do.
                tasks += [task, replace(task, relations=torch.zeros_like(task.relations))]
                molecules += [of_task, of_task]
        if tasks:
            _lower(_value_loss, learner, tasks, molecules, config, seed)
    return learner


EpisodeLoss = Callable[[Any, Embedded, Task, Tensor, Tensor], Tensor | None]
"""Of a learner with its memory or without, a task and its encoded molecules, support rows and query
rows; None where the support teaches nothing."""


def _class_loss(
    learner: HeadLearner, embedded: Embedded, task: Task, support: Tensor, query: Tensor
) -> Tensor:
    labels = task.labels.to(embedded.vectors.device)
    head = learner.fit_head(embedded.gather(support), labels[support])
    logits = head(embedded.gather(query)).logit
    return nn.functional.binary_cross_entropy_with_logits(logits, labels[query])


def _value_loss(
    learner: ValueHeadLearner, embedded: Embedded, task: Task, support: Tensor, query: Tensor
) -> Tensor | None:
    values = task.log_values.to(embedded.vectors.device)
    relations = task.relations.to(values.device)
    if not teaches_values(values[support], relations[support]):
        return None
    head = learner.fit_value_head(embedded.gather(support), values[support], relations[support])
    return -head(embedded.gather(query)).log_density(values[query], relations[query]).mean()


def _lower(
    loss_of: EpisodeLoss,
    learner: HeadLearner,
    tasks: Sequence[Task],
    embedded: Sequence[Embedded],
    config: CalibrationConfig,
    seed: int,
) -> None:
    """Descend the mean loss of random episodes, in place."""
    optimizer = torch.optim.Adam(head_parameters(learner).values(), lr=config.learning_rate)
    rng = np.random.default_rng(mixed_seed(seed, len(tasks)))
    memory = learner.memory
    for _ in tqdm(range(config.steps), desc="calibrate", unit="step", disable=None):
        optimizer.zero_grad(set_to_none=True)
        for place in rng.integers(len(tasks), size=config.tasks_per_step):
            size = int(rng.choice(config.support_sizes))
            rows = random_split(tasks[place], size, config.query_size, rng)
            support, query = (r.to(embedded[place].vectors.device) for r in rows)
            learner.memory = None if rng.random() < config.memory_dropout else memory
            loss = loss_of(learner, embedded[place], tasks[place], support, query)
            if loss is not None:
                (loss / config.tasks_per_step).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    learner.memory = memory


def cross_fitted(
    learner: Learner,
    valid: AssayStore,
    config: CalibrationConfig,
    seed: int,
    support_sizes: Sequence[int],
) -> tuple[list[DrawResult], list[DrawResult]]:
    """Results of the whole protocol, each assay judged by a head fitted on the other folds.

    The learner's parameters are as before when it returns.

    Returns:
        Of classes, and of values where the learner predicts them and assays have them.
    """
    before = {name: p.detach().clone() for name, p in learner.named_parameters()}
    classes, values = [], []
    for fold in range(config.folds):
        inside = replace(valid, tasks=tuple(valid.tasks[fold :: config.folds]))
        outside = [task for place, task in enumerate(valid) if place % config.folds != fold]
        calibrate(learner, replace(valid, tasks=tuple(outside)), config, seed)
        for task in run_protocol(learner, inside, support_sizes):
            classes.extend(task)
        if isinstance(learner, ValueLearner):
            for task in run_protocol(learner, inside, support_sizes, task_run=run_value_task):
                values.extend(task)
        with torch.no_grad():
            for name, parameter in learner.named_parameters():
                parameter.copy_(before[name])
    return classes, values


def head_parameters(learner: HeadLearner) -> dict[str, nn.Parameter]:
    """The parameters outside the encoder, by name."""
    return {
        name: parameter
        for name, parameter in learner.named_parameters()
        if not name.startswith("encoder.") and parameter.requires_grad
    }


@torch.no_grad()
def _embed_tasks(learner: HeadLearner, valid: AssayStore) -> list[Embedded]:
    device: torch.device = valid.molecules.device
    places: list[Tensor] = [task.molecules.to(device) for task in valid]
    return [learner.embed(valid.molecules.gather(rows)) for rows in places]
