"""The one outer loop: stage by stage and step by step, the same for every learner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from molmeta.assays.store import AssayStore
from molmeta.learners.base import Learner
from molmeta.training.config import RunConfig
from molmeta.training.folds import check_folds, require_draws
from molmeta.training.fresh import divide
from molmeta.training.parallel import joined_group, leads_group
from molmeta.training.run import BEST, Run
from molmeta.training.set_aside import set_aside
from molmeta.training.state import read_tensors
from molmeta.training.stopping import StopSignals, leave


def train(
    config: RunConfig,
    store: AssayStore,
    valid: AssayStore | None,
    folder: Path,
    device: torch.device,
    *,
    allow_overlap: bool = False,
    tell: Callable[[str], object] | None = None,
) -> Learner:
    """Meta-train a learner; a run that was stopped or killed goes on from its last saved state.

    What a step does depends only on the seed and its number, so that on a CPU a resumed run
    equals an uninterrupted one bit for bit. Under torchrun the processes divide the tasks of each
    step.

    Args:
        config: everything that decides the result, besides the data.
        store: meta-train assays, on `device`; those that calibration sets aside are left out;
            the rest are for the pre-training, for the episodes (see `divide`), or for both.
        valid: assays for early selection by ΔAUPRC on the official draws, on `device`; without
            them the last weights are the best.
        folder: of the run; gets `state.safetensors`, `best.safetensors` and `log.jsonl`, and those
            of the pre-training.
        device: of the learner.
        allow_overlap: whether assays may be in `store` and `valid` both.
        tell: called, in one process, with what the two share, and with what of `store` is kept from
            the pre-training, each in a sentence.

    Returns:
        The learner with the best weights, in evaluation mode.

    Raises:
        InputError: an assay to validate on is one to train on.
        ConfigError: the folder holds a run of another configuration or other data, or the data
            cannot be trained or validated on.
        CheckpointError: the saved state is damaged.
        OutputError: the folder cannot be written.
        KeyboardInterrupt: at SIGINT, after the step at hand was finished and saved.
        SystemExit: with 143 at SIGTERM, likewise.
    """
    if valid is not None:
        require_draws(valid, config.training.validation_support_sizes)
        shared = check_folds(store, valid, allow_overlap=allow_overlap)
        if tell is not None and leads_group():
            tell(shared)
    if config.calibration.steps:
        store = set_aside(store, config.calibration.share, config.seed).trained
    familiar = fresh = store
    if config.pretraining.steps and config.pretraining.fresh:
        familiar, fresh = division = divide(store, config.pretraining.fresh, config.seed)
        if tell is not None and leads_group():
            tell(division.sentence)
    with joined_group(device) as group, StopSignals() as stop:
        run = Run(config, store, fresh, valid, folder, group)
        if run.step == 0 and config.pretraining.steps:
            run.pretrain(config.pretraining, familiar, stop)
        if run.step == 0 and config.feature_weights.steps and not stop.number:
            run.weigh_features(config.feature_weights, store, stop)
        progress = tqdm(
            total=config.training.steps,
            initial=run.step,
            desc="meta-train",
            unit="step",
            # None: only where a person watches.
            disable=None if group.leads else True,
        )
        with progress:
            while True:
                if group.leads:
                    run.validate_and_save(stop)
                # All processes stop after the same step, whichever of them got the signal.
                signal = int(group.max(stop.number))
                if signal and group.leads:
                    run.save()
                if signal or run.step == config.training.steps:
                    break
                run.take_step()
                progress.update()
    if signal:
        leave(signal)
    run.learner.load_state_dict(read_tensors(folder / BEST))
    return run.learner.eval()
