"""MAML's own check of inner and outer loop, regressing sinusoids: `python -m benchmarks.sinusoid`.

Finn et al. 2017, sec. 5.1: amplitude .1 to 5, phase 0 to π, x from -5 to 5; ten points a task, one
inner step of .01, a 40-40 ReLU network, 25 tasks an outer step of Adam 1e-3, 70,000 steps. No data,
and a net that no chemistry is in: what `inner_loop` does to any `nn.Module`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import click
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from molmeta.learners.inner_loop import inner_loop

SHOTS = 10
RATE = 0.01
TASKS_PER_STEP = 25
OUTER_RATE = 1e-3
PUBLISHED_STEPS = 70_000
# Read off figure 3 (left), mean squared error before and after one step.
PUBLISHED = {0: 3.0, 1: 0.5}


def make_net() -> nn.Module:
    """The paper's network."""
    return nn.Sequential(
        nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1)
    )


def errors(net: nn.Module, n_tasks: int, n_steps: int, rng: torch.Generator) -> list[Tensor]:
    """Mean squared error on query points of random tasks, before each inner step and after all.

    Args:
        net: from one number to one number, where each task starts.
        n_tasks: drawn with `rng`; all of them take their steps at once.
        n_steps: of the inner loop.
        rng: of the tasks and their points.

    Returns:
        `n_steps` + 1 means over tasks, each []; differentiable with respect to the net.
    """
    amplitude = 0.1 + 4.9 * torch.rand(n_tasks, 1, 1, generator=rng)
    phase = math.pi * torch.rand(n_tasks, 1, 1, generator=rng)
    x = 10 * torch.rand(n_tasks, 2 * SHOTS, 1, generator=rng) - 5
    y = amplitude * torch.sin(x - phase)

    def task_errors(parameters: Mapping[str, Tensor], points: slice) -> Tensor:
        """[n_tasks]."""
        apply = vmap(lambda own, inputs: functional_call(net, own, (inputs,)))
        outputs: Tensor = apply(dict(parameters), x[:, points])
        return (outputs - y[:, points]).square().mean((1, 2))

    support, query = slice(SHOTS), slice(SHOTS, None)
    # Each task has a copy of the parameters: the sum of the losses gives each its own gradient.
    point = {name: value.expand(n_tasks, *value.shape) for name, value in net.named_parameters()}
    rates = [dict.fromkeys(point, RATE)]
    means = [task_errors(point, query).mean()]
    for _ in range(n_steps):
        point = inner_loop(point, lambda p: task_errors(p, support).sum(), rates, first_order=False)
        means.append(task_errors(point, query).mean())
    return means


def meta_train(net: nn.Module, n_steps: int, rng: torch.Generator) -> None:
    """Second-order MAML, in place."""
    optimizer = torch.optim.Adam(net.parameters(), lr=OUTER_RATE)
    for _ in range(n_steps):
        optimizer.zero_grad()
        errors(net, TASKS_PER_STEP, 1, rng)[-1].backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@click.command()
@click.option("--steps", type=click.IntRange(min=1), default=PUBLISHED_STEPS, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(steps: int, seed: int) -> None:
    """Print the error before and after inner steps, beside the published one."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = make_net()
    meta_train(net, steps, rng)
    means = errors(net, 1000, 10, rng)
    click.echo(f"after {steps:,} outer steps, 1,000 tasks; published after {PUBLISHED_STEPS:,}")
    for step in (0, 1, 5, 10):
        published = f"   about {PUBLISHED[step]}" if step in PUBLISHED else ""
        click.echo(f"{step:2} inner steps: squared error {means[step].item():.2f}{published}")


if __name__ == "__main__":
    main()
