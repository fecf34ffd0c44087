"""A finished run as one model file: the learner, where it comes from, what was measured for it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

import molmeta
from molmeta.assays.store import AssayStore
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
    valid: AssayStore | None,
    folder: Path,
    *,
    data_name: str,
    licence: str,
    support_sizes: Sequence[int] = SUPPORT_SIZES,
) -> Path:
    """Measure the learner on `valid` by the whole protocol and write `folder/model.molmeta`.

    A learner that can use a compound memory gets that of `store`. With `config.calibration` the
    head is fitted on `valid`, and the measure is cross-fitted.

    Args:
        learner: with its final weights.
        config: of the run.
        store: the meta-train assays; the keys of their molecules go into the file.
        valid: assays that were not trained on; without them the file holds no metrics.
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
    if valid is not None and config.calibration.steps:
        results = cross_fitted(learner, valid, config.calibration, config.seed, support_sizes)
        metrics = _means(results)
        calibrate(learner, valid, config.calibration, config.seed)
    elif valid is not None:
        tasks = run_protocol(learner, valid, support_sizes)
        progress = tqdm(tasks, desc="measure", total=len(valid), unit="task", disable=None)
        metrics = _means([draw for task in progress for draw in task])
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


def _means(results: Sequence[DrawResult]) -> dict[str, float]:
    metrics = {}
    for size, summary in summarize(results).items():
        metrics[f"valid_delta_auprc_{size}"] = summary.mean
        metrics[f"valid_delta_auprc_{size}_se"] = summary.standard_error
    return metrics
