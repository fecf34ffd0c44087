"""The FS-Mol protocol: official draws of support and query, one result a draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules, Task
from molmeta.evaluation.metrics import METRICS
from molmeta.learners.base import HeadLearner, Learner, Prediction

SUPPORT_SIZES = (16, 32, 64, 128, 256)
N_RUNS = 10


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
    """By name in METRICS; NaN where undefined."""


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


def run_protocol(
    learner: Learner,
    store: AssayStore,
    support_sizes: Sequence[int] = SUPPORT_SIZES,
    runs: Sequence[int] = range(N_RUNS),
) -> Iterator[list[DrawResult]]:
    """All draws of each task in turn; a draw that cannot be made is skipped, not shrunk.

    The learner is put into evaluation mode. A HeadLearner encodes each molecule of a task once.

    Yields:
        The results of one task.
    """
    learner.eval()
    for task in store:
        yield _run_task(learner, store, task, support_sizes, runs)


def summarize(results: Iterable[DrawResult], metric: str = "delta_auprc") -> dict[int, Summary]:
    """Mean and standard error of `metric` by support size, ascending."""
    values: dict[int, dict[str, list[float]]] = {}
    for result in results:
        by_task = values.setdefault(result.support_size, {})
        by_task.setdefault(result.assay_id, []).append(result.metrics[metric])
    summaries = {}
    for size in sorted(values):
        draws = [np.array(v) for v in values[size].values()]
        means = np.array([np.nanmean(v) for v in draws if not np.isnan(v).all()])
        n = len(means)
        summaries[size] = Summary(
            mean=float(means.mean()) if n else float("nan"),
            standard_error=float(means.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
            n_tasks=n,
            n_undefined=int(sum(np.isnan(v).sum() for v in draws)),
        )
    return summaries


def _run_task(
    learner: Learner,
    store: AssayStore,
    task: Task,
    support_sizes: Sequence[int],
    runs: Sequence[int],
) -> list[DrawResult]:
    device = store.molecules.device
    molecules = store.molecules.gather(task.molecules.to(device))
    labels = task.labels.to(device)
    with torch.no_grad():
        embedded = learner.embed(molecules) if isinstance(learner, HeadLearner) else None
    results = []
    for size in support_sizes:
        for run in runs:
            draw = official_draw(task.labels, size, run)
            if draw is None:
                continue
            support, query = (torch.from_numpy(rows).to(device) for rows in draw)
            if embedded is not None and isinstance(learner, HeadLearner):
                with torch.no_grad():
                    head = learner.fit_head(embedded.gather(support), labels[support])
                    prediction = head(embedded.gather(query))
            else:
                predictor = learner.adapt(
                    LabeledMolecules(molecules.gather(support), labels[support])
                )
                with torch.no_grad():
                    prediction = predictor(molecules.gather(query))
            results.append(_score(task.assay_id, size, run, labels[query], prediction))
    return results


def _score(
    assay_id: str, support_size: int, run: int, labels: Tensor, prediction: Prediction
) -> DrawResult:
    truth = labels.double().cpu().numpy()
    # Ranked in double precision: float32 probabilities near 0 and 1 would tie.
    probabilities = torch.sigmoid(prediction.logit.detach().double()).cpu().numpy()
    return DrawResult(
        assay_id=assay_id,
        support_size=support_size,
        run=run,
        n_query=len(truth),
        share_active=float(truth.mean()),
        metrics={name: metric(truth, probabilities) for name, metric in METRICS.items()},
    )
