"""The FS-Mol regression protocol: the official draws, values predicted in place of classes.

Supports are stratified by class, as everywhere in FS-Mol, so that results of both kinds are of the
same molecules. Bounds (`> 10 uM`) count as the values that they were published with, in support and
query, because all published results of this benchmark are of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from molmeta.assays.store import AssayStore
from molmeta.assays.task import MeasuredMolecules, Task
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import (
    DrawResult,
    Outcome,
    QueryValues,
    embedded_once,
    run_draws,
)
from molmeta.evaluation.value_metrics import VALUE_METRICS, value_metrics
from molmeta.learners.base import Learner
from molmeta.learners.values import (
    ValueHeadLearner,
    ValueLearner,
    ValuePrediction,
    teaches_values,
)

_LEAST_POTENT: Final = 7.0
"""Minus log10 molar of 100 nM. An assay whose values all lie in 0 to 100, in whichever unit, is
taken for one of percentages, and left out, by FS-Mol's regression benchmark."""


def has_values(task: Task) -> bool:
    """Whether every row has a value above 0, not all of them 100 or less in the published unit."""
    values = task.log_values
    return bool(values.isfinite().all()) and not bool((values >= _LEAST_POTENT).all())


def run_value_task(
    learner: Learner,
    store: AssayStore,
    task: Task,
    support_sizes: Sequence[int],
    runs: Sequence[int],
) -> list[DrawResult]:
    """All draws of `task`, one of the store's, none where it has no values.

    The learner is in evaluation mode already.

    Raises:
        ConfigError: the learner predicts no values.
    """
    if not isinstance(learner, ValueLearner):
        raise ConfigError(f"A {type(learner).__name__} predicts classes alone, no values.")
    if not has_values(task):
        return []
    device = store.molecules.device
    everything = MeasuredMolecules(
        store.molecules.gather(task.molecules.to(device)),
        task.log_values.to(device),
        torch.zeros(len(task), dtype=torch.int8, device=device),
    )
    embedded = embedded_once(learner, everything.molecules)

    def outcome(support: Tensor, query: Tensor) -> Outcome:
        known = everything.gather(support)
        if not teaches_values(known.values, known.relations):
            nothing = torch.full((len(query),), torch.nan)
            prediction = ValuePrediction(nothing, nothing)
        elif embedded is not None and isinstance(learner, ValueHeadLearner):
            with torch.no_grad():
                head = learner.fit_value_head(
                    embedded.gather(support), known.values, known.relations
                )
                prediction = head(embedded.gather(query))
        else:
            prediction = learner.adapt_values(known)(everything.molecules.gather(query))
        return _outcome(task, support, query, prediction)

    return run_draws(task, support_sizes, runs, outcome, device)


def _outcome(task: Task, support: Tensor, query: Tensor, prediction: ValuePrediction) -> Outcome:
    known, asked = support.cpu().numpy(), query.cpu().numpy()
    values, relations = task.log_values.numpy(), task.relations.numpy()
    ends = (prediction.mean, *prediction.interval())
    means, low, high = (end.double().cpu().numpy() for end in ends)
    metrics = dict.fromkeys(VALUE_METRICS, float("nan"))
    if not np.isnan(means).any():
        metrics = value_metrics(
            values[asked].astype(np.float64),
            relations[asked] == 0,
            means,
            low,
            high,
            support_mean=float(values[known].astype(np.float64).mean()),
        )
    return metrics, QueryValues(
        rows=asked.astype(np.int32),
        values=values[asked],
        relations=relations[asked],
        means=means.astype(np.float32),
        deviations=prediction.deviation.cpu().numpy(),
        low=low.astype(np.float32),
        high=high.astype(np.float32),
    )
