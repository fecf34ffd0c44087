"""A finished run as one model file: the learner, where it comes from, what was measured for it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

import molmeta
from molmeta.assays.store import AssayStore
from molmeta.checkpoint import Checkpoint, Provenance, save_checkpoint
from molmeta.evaluation.protocol import SUPPORT_SIZES, DrawResult, run_protocol, summarize
from molmeta.evaluation.value_protocol import run_value_task
from molmeta.learners.base import Learner
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.values import ValueLearner
from molmeta.training.calibration import calibrate
from molmeta.training.config import RunConfig
from molmeta.training.set_aside import set_aside

MODEL = "model.molmeta"


def publish(
    learner: Learner,
    config: RunConfig,
    store: AssayStore,
    valid: Mapping[str, AssayStore],
    folder: Path,
    *,
    data_name: str,
    licence: str,
    support_sizes: Sequence[int] = SUPPORT_SIZES,
) -> Path:
    """Measure the learner on each fold of `valid` by the protocol and write `folder/model.molmeta`.

    What is not the encoder is fitted first: a compound memory of `store` for a learner that can use
    one, and, with `config.calibration`, the head on the assays that are set aside. The folds of
    `valid` are measured on and no more.

    Args:
        learner: with its final weights, as `train` returns it.
        config: of the run.
        store: the meta-train assays; the keys of their molecules go into the file.
        valid: folds of assays that were not trained on, by name; without any the file holds no
            metrics.
        folder: of the run.
        data_name: of the meta-train assays.
        licence: of the meta-train assays.
        support_sizes: to measure at.

    Returns:
        Where the model lies.

    Raises:
        OutputError: it cannot be written.
    """
    if learner.uses_memory:
        learner.memory = CompoundMemory.of(store)
    if config.calibration.steps:
        _, aside, places = set_aside(store, config.calibration.share, config.seed)
        calibrate(learner, aside, config.calibration, config.seed, places)
    metrics: dict[str, float] = {}
    for name, fold in valid.items():
        tasks = run_protocol(learner, fold, support_sizes)
        progress = tqdm(tasks, desc="measure", total=len(fold), unit="task", disable=None)
        metrics |= _means(name, "delta_auprc", [draw for task in progress for draw in task])
        if isinstance(learner, ValueLearner):
            tasks = run_protocol(learner, fold, support_sizes, task_run=run_value_task)
            values = [draw for task in tasks for draw in task]
            for metric in ("r2", "coverage"):
                metrics |= _means(name, metric, values)
    checkpoint = Checkpoint(
        learner=learner.cpu(),
        provenance=Provenance(
            data=data_name,
            licence=licence,
            data_sha256=(store.sha256,),
            seed=config.seed,
            steps=config.training.steps,
            code_version=molmeta.__version__,
            created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        ),
        metrics=metrics,
        seen_keys=torch.unique(store.molecules.keys.cpu()),
    )
    save_checkpoint(folder / MODEL, checkpoint, half=True, overwrite=True)
    return folder / MODEL


def _means(fold: str, metric: str, results: Sequence[DrawResult]) -> dict[str, float]:
    metrics = {}
    for size, summary in summarize(results, metric).items():
        metrics[f"{fold}_{metric}_{size}"] = summary.mean
        metrics[f"{fold}_{metric}_{size}_se"] = summary.standard_error
    return metrics
