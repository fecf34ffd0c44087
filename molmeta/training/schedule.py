"""What every optimiser of the room shares: the learning rate's course, weight decay, seeds."""

import math
from typing import Any, Protocol

import numpy as np
from torch import nn


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


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight matrices decay; biases, norms and kernel settings do not."""
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    others = [p for p in module.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def mixed_seed(*numbers: int) -> int:
    """One seed from several numbers, the same on every machine."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
