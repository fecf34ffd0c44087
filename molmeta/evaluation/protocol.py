"""The FS-Mol protocol: official draws of support and query, one result a draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, Task
from molmeta.chem.batch import MoleculeBatch
from molmeta.evaluation.metrics import METRICS, Array
from molmeta.learners.base import Embedded, HeadLearner, Learner

SUPPORT_SIZES = (16, 32, 64, 128, 256)
N_RUNS = 10


@dataclass(frozen=True, slots=True)
class QueryPredictions:
    """What a draw's query was predicted to be, molecule by molecule."""

    rows: NDArray[np.int32]
    """[n_query]: position of each molecule in its assay, in file order; all others are support."""
    labels: NDArray[np.float32]
    """[n_query]; 1 is active and 0 inactive."""
    logits: NDArray[np.float32]
    """[n_query]."""

    @property
    def probabilities(self) -> Array:
        """Of being active: [n_query]."""
        # Ranked in double precision: float32 probabilities near 0 and 1 would tie.
        return torch.sigmoid(torch.from_numpy(self.logits).double()).numpy()

    def columns(self) -> dict[str, NDArray[Any]]:
        """What is kept of each molecule, by name: [n_query] each."""
        return {
            "label": self.labels.astype(np.int8),
            "logit": self.logits,
            "probability": self.probabilities.astype(np.float32),
        }


@dataclass(frozen=True, slots=True)
class QueryValues:
    """The same where values were predicted."""

    rows: NDArray[np.int32]
    """[n_query]: position of each molecule in its assay."""
    values: NDArray[np.float32]
    """[n_query], as published: minus log10 molar."""
    relations: NDArray[np.int8]
    """[n_query]; 0 measured, 1 the truth is higher, -1 it is lower."""
    means: NDArray[np.float32]
    """[n_query], predicted."""
    deviations: NDArray[np.float32]
    """[n_query], predicted: of a measurement around the mean."""
    low: NDArray[np.float32]
    """[n_query], lower end of the 90 % interval."""
    high: NDArray[np.float32]
    """[n_query], its upper end."""

    def columns(self) -> dict[str, NDArray[Any]]:
        """What is kept of each molecule, by name: [n_query] each."""
        return {
            "log_value": self.values,
            "relation": self.relations,
            "mean": self.means,
            "deviation": self.deviations,
            "low": self.low,
            "high": self.high,
        }


Outcome = tuple[dict[str, float], QueryPredictions | QueryValues]
"""Metrics by name, and the predictions that they are of."""


@dataclass(frozen=True, slots=True)
class DrawResult:
    """What one draw of one task gave."""

    assay_id: str
    support_size: int
    run: int
    n_query: int
    share_active: float
    """Of the query."""
    metrics: dict[str, float]
    """By name in METRICS or VALUE_METRICS; NaN where undefined."""
    predictions: QueryPredictions | QueryValues | None = None
    """None where a protocol keeps only the metrics."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric at one support size over all tasks."""

    mean: float
    """Mean over tasks of the mean over a task's draws."""
    standard_error: float
    """Standard deviation over tasks (ddof 1) / sqrt(n_tasks); NaN for fewer than two tasks."""
    n_tasks: int
    n_undefined: int
    """Draws without a value; they are left out of the mean, not counted as 0."""


def run_task(
    learner: Learner,
    store: AssayStore,
    task: Task,
    support_sizes: Sequence[int],
    runs: Sequence[int],
) -> list[DrawResult]:
    """All draws of `task`, one of the store's; the learner is in evaluation mode already.

    A HeadLearner encodes each molecule once.
    """
    device = store.molecules.device
    everything = LabeledMolecules(
        store.molecules.gather(task.molecules.to(device)), task.labels.to(device)
    )
    embedded = embedded_once(learner, everything.molecules)

    def outcome(support: Tensor, query: Tensor) -> Outcome:
        if embedded is not None and isinstance(learner, HeadLearner):
            with torch.no_grad():
                head = learner.fit_head(embedded.gather(support), everything.labels[support])
                prediction = head(embedded.gather(query))
        else:
            predictor = learner.adapt(everything.gather(support))
            with torch.no_grad():
                prediction = predictor(everything.molecules.gather(query))
        return _outcome(everything.labels[query], query, prediction.logit)

    return run_draws(task, support_sizes, runs, outcome, device)


def run_draws(
    task: Task,
    support_sizes: Sequence[int],
    runs: Sequence[int],
    outcome: Callable[[Tensor, Tensor], Outcome],
    device: torch.device,
) -> list[DrawResult]:
    """One result for each draw of `task`; one that cannot be made is skipped, not shrunk.

    Args:
        task: one assay.
        support_sizes: totals.
        runs: which of the ten official draws.
        outcome: of the support rows [n_support] and the query rows [n_query].
        device: on which `outcome` wants them.
    """
    results = []
    for size in support_sizes:
        for run in runs:
            draw = official_draw(task.labels, size, run)
            if draw is None:
                continue
            support, query = (torch.from_numpy(rows).to(device) for rows in draw)
            metrics, predictions = outcome(support, query)
            results.append(
                DrawResult(
                    assay_id=task.assay_id,
                    support_size=size,
                    run=run,
                    n_query=len(query),
                    share_active=float(task.labels.double()[draw[1]].mean()),
                    metrics=metrics,
                    predictions=predictions,
                )
            )
    return results


def embedded_once(learner: Learner, molecules: MoleculeBatch) -> Embedded | None:
    """The molecules as a HeadLearner encodes them, for all draws; None of another learner."""
    if not isinstance(learner, HeadLearner):
        return None
    with torch.no_grad():
        return learner.embed(molecules).tabulated()


TaskRun = Callable[[Learner, AssayStore, Task, Sequence[int], Sequence[int]], list[DrawResult]]
"""`run_task`, or that of another protocol: all draws of one task."""


def run_protocol(
    learner: Learner,
    store: AssayStore,
    support_sizes: Sequence[int] = SUPPORT_SIZES,
    runs: Sequence[int] = range(N_RUNS),
    *,
    task_run: TaskRun = run_task,
) -> Iterator[list[DrawResult]]:
    """All draws of each task in turn, the learner in evaluation mode.

    Yields:
        The results of one task.
    """
    learner.eval()
    for task in store:
        yield task_run(learner, store, task, support_sizes, runs)


def task_means(
    results: Iterable[DrawResult], metric: str = "delta_auprc"
) -> dict[int, dict[str, float]]:
    """Support size, ascending -> assay -> mean of `metric` over the draws that have a value.

    An assay without any defined draw is left out.
    """
    defined: dict[int, dict[str, list[float]]] = {}
    for result in results:
        of_task = defined.setdefault(result.support_size, {})
        if not np.isnan(result.metrics[metric]):
            of_task.setdefault(result.assay_id, []).append(result.metrics[metric])
    return {
        size: {assay: float(np.mean(values)) for assay, values in defined[size].items()}
        for size in sorted(defined)
    }


def summarize(results: Iterable[DrawResult], metric: str = "delta_auprc") -> dict[int, Summary]:
    """Mean and standard error of `metric` by support size, ascending."""
    results = list(results)
    summaries = {}
    for size, of_task in task_means(results, metric).items():
        means = np.array(list(of_task.values()))
        n = len(means)
        summaries[size] = Summary(
            mean=float(means.mean()) if n else float("nan"),
            standard_error=float(means.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
            n_tasks=n,
            n_undefined=sum(
                r.support_size == size and bool(np.isnan(r.metrics[metric])) for r in results
            ),
        )
    return summaries


def pool(results: Iterable[DrawResult], metric: str) -> dict[int, Summary]:
    """`metric` of all query molecules of all tasks and draws together, by support size, ascending.

    A calibration error over one query of 50 molecules is mostly the noise of its bins; over
    all of them it says whether a probability of 0.7 comes true seven times in ten. Results
    without predicted classes are left out.
    """
    parts: dict[int, dict[str, list[QueryPredictions]]] = {}
    for result in results:
        if isinstance(result.predictions, QueryPredictions):
            of_task = parts.setdefault(result.support_size, {})
            of_task.setdefault(result.assay_id, []).append(result.predictions)
    pooled = {}
    for size in sorted(parts):
        draws = [draw for of_task in parts[size].values() for draw in of_task]
        labels = np.concatenate([draw.labels for draw in draws]).astype(np.float64)
        probabilities = np.concatenate([draw.probabilities for draw in draws])
        value = METRICS[metric](labels, probabilities)
        pooled[size] = Summary(value, float("nan"), len(parts[size]), int(np.isnan(value)))
    return pooled


def _outcome(labels: Tensor, query: Tensor, logits: Tensor) -> Outcome:
    predictions = QueryPredictions(
        rows=query.cpu().numpy().astype(np.int32),
        labels=labels.cpu().numpy(),
        logits=logits.float().cpu().numpy(),
    )
    truth = predictions.labels.astype(np.float64)
    probabilities = predictions.probabilities
    return {name: metric(truth, probabilities) for name, metric in METRICS.items()}, predictions
