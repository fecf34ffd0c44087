"""Second-order MAML by molmeta, learn2learn and higher on one network, in one process.

Run by `benchmarks.speed` with the Python of an environment that has the rivals; it needs of molmeta
what needs torch alone. Prints JSON: CPU seconds a step of the outer loop, and how far each gradient
is from molmeta's.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.speed_clock import medians
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.fused import FusedEncoder
from molmeta.learners.inner_loop import inner_loop

RATE, STEPS = 0.01, 5
ENCODER = EncoderConfig(
    ecfp=False, descriptors=False, graph_layers=4, graph_width=128, hidden=128, dim=128, dropout=0.0
)

Task = tuple[MoleculeBatch, Tensor, MoleculeBatch, Tensor]
"""Support, its labels, query, its labels."""


class Network(nn.Module):
    """The graph encoder with a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = FusedEncoder(ENCODER)
        self.head = nn.Linear(ENCODER.dim, 1)

    def forward(self, molecules: MoleculeBatch) -> Tensor:
        """Logits [n]."""
        logits: Tensor = self.head(self.encoder(molecules))[:, 0]
        return logits


def error(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean binary cross-entropy."""
    return nn.functional.binary_cross_entropy_with_logits(logits, labels)


def by_molmeta(network: Network, task: Task) -> None:
    """The outer gradient of one task, added to the parameters'."""
    support, labels, query, query_labels = task
    start = dict(network.named_parameters())
    adapted = inner_loop(
        start,
        lambda point: error(functional_call(network, dict(point), (support,)), labels),
        [dict.fromkeys(start, RATE)] * STEPS,
        first_order=False,
    )
    error(functional_call(network, adapted, (query,)), query_labels).backward()  # type: ignore[no-untyped-call]


def by_learn2learn(network: Network, task: Task) -> None:
    """The same by `learn2learn.algorithms.MAML`."""
    import learn2learn

    support, labels, query, query_labels = task
    learner = learn2learn.algorithms.MAML(network, lr=RATE, first_order=False).clone()
    for _ in range(STEPS):
        learner.adapt(error(learner(support), labels))
    error(learner(query), query_labels).backward()  # type: ignore[no-untyped-call]


def by_higher(network: Network, task: Task) -> None:
    """The same by `higher.innerloop_ctx`."""
    import higher

    support, labels, query, query_labels = task
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    with higher.innerloop_ctx(network, optimizer, copy_initial_weights=False) as (inner, steps):
        for _ in range(STEPS):
            steps.step(error(inner(support), labels))
        error(inner(query), query_labels).backward()  # type: ignore[no-untyped-call]


WAYS: dict[str, Callable[[Network, Task], None]] = {
    "learn2learn": by_learn2learn,
    "higher": by_higher,
}


def compare(tasks: list[Task], repeats: int) -> dict[str, dict[str, float]]:
    """CPU seconds and the largest relative error of the gradient, by way."""
    torch.manual_seed(0)
    network = Network()
    ways: dict[str, Callable[[Network, Task], None]] = {"molmeta": by_molmeta}
    ways |= {name: way for name, way in WAYS.items() if find_spec(name) is not None}
    gradients: dict[str, Tensor] = {}

    def step(name: str) -> None:
        network.zero_grad()
        for task in tasks:
            ways[name](network, task)
        parts = [p.grad.reshape(-1) for p in network.parameters() if p.grad is not None]
        gradients[name] = torch.cat(parts)

    times = medians({name: lambda name=name: step(name) for name in ways}, repeats)  # type: ignore[misc]
    own = gradients["molmeta"]
    return {
        name: {
            "seconds": seconds,
            "gradient_error": float((gradients[name] - own).norm() / own.norm()),
        }
        for name, seconds in times.items()
    }


def main() -> None:
    """Read tasks from the file that is named first, take as many repeats as named second."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    stored: list[dict[str, Any]] = torch.load(sys.argv[1], weights_only=True)
    tasks = [
        (
            MoleculeBatch(**task["support"]),
            task["labels"],
            MoleculeBatch(**task["query"]),
            task["query_labels"],
        )
        for task in stored
    ]
    print(json.dumps(compare(tasks, int(sys.argv[2]))))


if __name__ == "__main__":
    main()
