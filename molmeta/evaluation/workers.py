"""Methods through the protocol, task by task, in this process or spread over several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

from molmeta.assays.store import AssayStore
from molmeta.evaluation.protocol import DrawResult, TaskRun, run_protocol, run_task
from molmeta.learners.base import Learner

_given: list[Any] = []
"""What this worker process was started with."""


def run_methods(
    learners: Mapping[str, Learner],
    store: AssayStore,
    support_sizes: Sequence[int],
    runs: Sequence[int],
    workers: int = 1,
    task_run: TaskRun = run_task,
) -> dict[str, list[DrawResult]]:
    """Results of each learner on all draws of all tasks, the same for any number of workers.

    Args:
        learners: by name.
        store: the assays; with several workers on the CPU.
        support_sizes: totals.
        runs: which of the ten official draws.
        workers: processes; each computes with one thread.
        task_run: what is done with each task.
    """
    from tqdm import tqdm

    results = {}
    for name, learner in learners.items():
        tasks = (
            run_protocol(learner, store, support_sizes, runs, task_run=task_run)
            if workers == 1
            else _spread(task_run, learner.eval(), store, support_sizes, runs, workers)
        )
        progress = tqdm(tasks, desc=name, total=len(store), unit="task", disable=None)
        results[name] = [draw for task in progress for draw in task]
    return results


def _spread(
    task_run: TaskRun,
    learner: Learner,
    store: AssayStore,
    support_sizes: Sequence[int],
    runs: Sequence[int],
    workers: int,
) -> Iterator[list[DrawResult]]:
    given = (task_run, learner, store, tuple(support_sizes), tuple(runs))
    # Not fork: torch's threads may hold locks that a forked child would wait for.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(store)), mp_context=context, initializer=_start, initargs=given
    ) as pool:
        yield from pool.map(_run, range(len(store)))


def _start(*given: Any) -> None:
    torch.set_num_threads(1)
    _given[:] = given


def _run(place: int) -> list[DrawResult]:
    task_run, learner, store, support_sizes, runs = _given
    results: list[DrawResult] = task_run(learner, store, store.tasks[place], support_sizes, runs)
    return results
