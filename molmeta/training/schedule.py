"""What every optimiser of the room shares: the learning rate's course, weight decay, seeds."""

import math
from typing import Any, Protocol

import numpy as np
from torch import nn

from molmeta.learners.setting import Setting


class Course(Protocol):
    """The settings that the learning rate follows."""

    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def warmup_steps(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102


def learning_rate(step: int, course: Course) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    if step < course.warmup_steps:
        return course.learning_rate * (step + 1) / course.warmup_steps
    span = max(course.steps - course.warmup_steps, 1)
    share = (step - course.warmup_steps) / span
    return course.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


def parameter_groups(
    module: nn.Module, weight_decay: float, settings_pace: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for an optimiser: weight matrices, biases and norms, settings.

    Args:
        module: of which every parameter is in one group.
        weight_decay: of the matrices; nothing else decays.
        settings_pace: how many times as fast as weights a `Setting` learns. It stands as `pace` in
            each group, by which whoever sets the learning rate multiplies it.
    """
    settings = [p for p in module.parameters() if isinstance(p, Setting)]
    weights = [p for p in module.parameters() if not isinstance(p, Setting)]
    matrices = [p for p in weights if p.ndim >= 2]
    vectors = [p for p in weights if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay, "pace": 1.0},
        {"params": vectors, "weight_decay": 0.0, "pace": 1.0},
        {"params": settings, "weight_decay": 0.0, "pace": settings_pace},
    ]


def mixed_seed(*numbers: int) -> int:
    """One seed from several numbers, the same on every machine."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
