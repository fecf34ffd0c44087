"""What a training run holds between two steps, and how it takes one."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from molmeta.assays.episodes import EpisodeSampler
from molmeta.assays.store import AssayStore
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import run_protocol, summarize
from molmeta.learners.base import Learner
from molmeta.learners.weighted_tanimoto import WeightedTanimoto
from molmeta.training.config import OuterLoopConfig, RunConfig, as_document, trainable_kind
from molmeta.training.feature_weights import FeatureWeightsConfig, fit_feature_weights
from molmeta.training.log import RunLog
from molmeta.training.panels import panel_weights
from molmeta.training.parallel import Group
from molmeta.training.pretraining import PretrainingConfig, pretrain
from molmeta.training.schedule import learning_rate, mixed_seed, parameter_groups
from molmeta.training.state import load_state, read_record, save_state, write_tensors
from molmeta.training.stopping import StopSignals

LOG_EVERY = 20
"""Steps between lines of the log."""
SAVE_EVERY = 100
"""Steps between saves of the state; each validation saves it too."""
STATE, BEST = "state.safetensors", "best.safetensors"


def build_learner(config: RunConfig) -> Learner:
    """A fresh learner, with torch_geometric passing the messages.

    Raises:
        ConfigError: it is to be calibrated and has nothing to calibrate.
    """
    kind: Any = trainable_kind(config.learner)
    learner: Learner = kind(config.encoder, config.learner_config, "pyg")
    if config.calibration.steps and not learner.calibrated:
        raise ConfigError(
            f"A {kind.__name__} has nothing to calibrate: calibration.steps must be 0, or its log "
            "odds need a SizeLaw as a factor."
        )
    return learner


def validate(
    learner: Learner, valid: AssayStore, settings: OuterLoopConfig, stop: StopSignals
) -> dict[int, float] | None:
    """Mean ΔAUPRC by support size; None if `stop` came before the last task."""
    results = []
    runs = range(settings.validation_runs)
    for task in run_protocol(learner, valid, settings.validation_support_sizes, runs):
        results.extend(task)
        if stop.number:
            return None
    return {size: summary.mean for size, summary in summarize(results).items()}


class Run:
    """What a run holds between two steps: the learner, the optimiser, and a record of both."""

    def __init__(
        self,
        config: RunConfig,
        store: AssayStore,
        fresh: AssayStore,
        valid: AssayStore | None,
        folder: Path,
        group: Group,
    ) -> None:
        settings = config.training
        if settings.tasks_per_step < group.size:
            raise ConfigError(
                f"{group.size} processes cannot divide {settings.tasks_per_step} tasks: raise "
                "training.tasks_per_step or start fewer processes."
            )
        self.settings, self.seed = settings, config.seed
        self.valid, self.folder, self.group = valid, folder, group
        torch.manual_seed(config.seed)
        self.learner = build_learner(config).to(group.device)
        for module in self.learner.modules():
            if isinstance(module, FusedEncoder):
                module.fit_inputs(store.molecules)
        self.sampler = self._sampler_of(fresh)
        pace = settings.settings_learning_rate / settings.learning_rate
        groups = parameter_groups(self.learner, settings.weight_decay, pace)
        self.optimizer = torch.optim.AdamW(groups)
        self.record: dict[str, Any] = {
            "run": {"config": as_document(config), "data": store.sha256},
            "valid": valid.sha256 if valid is not None else None,
            "step": 0,
            "validated": -1,
            "best": -math.inf,
        }
        if (folder / STATE).exists():
            self._resume()
        if group.leads:
            self.log = RunLog(folder, self.step)

    def pretrain(self, config: PretrainingConfig, store: AssayStore, stop: StopSignals) -> None:
        """Give the encoder its pre-trained weights; one process trains them for all."""
        for module in self.learner.modules():
            if isinstance(module, FusedEncoder):
                if self.group.leads:
                    pretrain(module, store, config, self.seed, self.folder, stop)
                self.group.share_weights(module)

    def weigh_features(
        self, config: FeatureWeightsConfig, store: AssayStore, stop: StopSignals
    ) -> None:
        """Fit the weights of the kernel on structures; one process fits them for all."""
        n_tasks = self.settings.tasks_per_step
        for module in self.learner.modules():
            if isinstance(module, WeightedTanimoto):
                if self.group.leads:
                    sampler = self._sampler_of(store)
                    fit_feature_weights(module, store, sampler, config, n_tasks, self.folder, stop)
                self.group.share_weights(module)

    @property
    def step(self) -> int:
        """How many steps were taken."""
        step: int = self.record["step"]
        return step

    def take_step(self) -> None:
        """One step of the optimiser on the mean loss of `tasks_per_step` episodes."""
        settings, group = self.settings, self.group
        started = time.perf_counter()
        # Dropout follows from the seed, the step and the process: no step depends on a past one.
        torch.manual_seed(mixed_seed(self.seed, self.step, group.rank))
        rate = learning_rate(self.step, settings)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate * parameters["pace"]
        self.learner.train()
        episodes = self.sampler.draw(self.step, settings.tasks_per_step, group.rank, group.size)
        self.optimizer.zero_grad(set_to_none=True)
        # The mean over all tasks of the step, of which this process holds a share.
        loss = self.learner.meta_loss(episodes) * (len(episodes) / settings.tasks_per_step)
        loss.backward()  # type: ignore[no-untyped-call]
        group.add_gradients(self.learner)
        norm = nn.utils.clip_grad_norm_(self.learner.parameters(), settings.gradient_clip)
        # A gradient that is not finite would destroy the weights; the log shows what was left out.
        if torch.isfinite(norm):
            self.optimizer.step()
        self.record["step"] += 1
        if self.step % LOG_EVERY == 0 or self.step == settings.steps:
            entry = {
                "loss": group.sum(float(loss.detach())),
                "gradient_norm": float(norm),
                "learning_rate": rate,
                "seconds": time.perf_counter() - started,
            }
            if group.leads:
                self.log.write(self.step, entry)

    def validate_and_save(self, stop: StopSignals) -> None:
        """Keep the weights if they are the best yet, and the state, where the step asks for it."""
        every = self.settings.validate_every
        is_last = self.step == self.settings.steps
        due = is_last or (every > 0 and self.step % every == 0)
        # A validation that a stop cut short is still due after resuming.
        if due and self.record["validated"] < self.step:
            self._validate(stop)
            self.save()
        elif self.step % SAVE_EVERY == 0:
            self.save()

    def save(self) -> None:
        """Keep the state, to go on from this step."""
        save_state(self.folder / STATE, self.learner, self.optimizer, self.record)

    def _sampler_of(self, store: AssayStore) -> EpisodeSampler:
        settings = self.settings
        return EpisodeSampler(
            store,
            support_sizes=settings.support_sizes,
            query_size=settings.query_size,
            task_weights=panel_weights(store, settings.panel_power),
            seed=self.seed,
        )

    def _validate(self, stop: StopSignals) -> None:
        score = math.inf
        if self.valid is not None:
            means = validate(self.learner, self.valid, self.settings, stop)
            if means is None:
                return
            score = float(np.mean(list(means.values())))
            entry = {f"valid_delta_auprc_{size}": mean for size, mean in means.items()}
            self.log.write(self.step, entry)
        self.record["validated"] = self.step
        if self.valid is None or score > self.record["best"]:
            self.record |= {"best": score, "best_step": self.step}
            write_tensors(self.folder / BEST, self.learner.state_dict(), self.record)

    def _resume(self) -> None:
        saved = read_record(self.folder / STATE)
        # A state from before an entry was there has what a fresh run has.
        record = {**self.record, **saved}
        if any(record[name] != self.record[name] for name in ("run", "valid")):
            raise ConfigError(
                f"{self.folder} holds a run with other settings or other data: continue it with "
                "those, or choose another folder."
            )
        load_state(self.folder / STATE, self.learner, self.optimizer)
        self.record = record
