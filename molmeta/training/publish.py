"""A finished run as one model file: the learner, where it comes from, what was measured for it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

import molmeta
from molmeta.assays.store import AssayStore, join_stores
from molmeta.checkpoint import Checkpoint, Provenance, save_checkpoint
from molmeta.evaluation.protocol import SUPPORT_SIZES, DrawResult, run_protocol, summarize
from molmeta.learners.base import Learner
from molmeta.learners.memory import CompoundMemory
from molmeta.training.calibration import calibrate, cross_fitted
from molmeta.training.config import RunConfig

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

    A learner that can use a compound memory gets that of `store`. With `config.calibration` the
    head is fitted on all folds of `valid` together, and the measure is cross-fitted.

    Args:
        learner: with its final weights.
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
    metrics: dict[str, float] = {}
    classes: list[DrawResult] = []
    values: list[DrawResult] = []
    if valid and config.calibration.steps:
        everything = join_stores(list(valid.values()))
        classes, values = cross_fitted(
            learner, everything, config.calibration, config.seed, support_sizes
        )
        calibrate(learner, everything, config.calibration, config.seed)
    else:
        for fold in valid.values():
            tasks = run_protocol(learner, fold, support_sizes)
            progress = tqdm(tasks, desc="measure", total=len(fold), unit="task", disable=None)
            classes += [draw for task in progress for draw in task]
    for name, fold in valid.items():
        assays = {task.assay_id for task in fold}
        metrics |= _means(name, "delta_auprc", [d for d in classes if d.assay_id in assays])
        for metric in ("r2", "coverage"):
            metrics |= _means(name, metric, [d for d in values if d.assay_id in assays])
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
