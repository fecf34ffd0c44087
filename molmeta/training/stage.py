"""What comes before the episodes of a run, step by step: logged, kept, and gone on with."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from tqdm import tqdm

from molmeta.errors import ConfigError
from molmeta.training.log import RunLog
from molmeta.training.schedule import Course
from molmeta.training.state import load_state, read_record, save_state
from molmeta.training.stopping import StopSignals

LOG_EVERY = 20
"""Steps between lines of the log."""


class Stage(ABC):
    """The steps of one stage, each a function of its number and of what those before it left."""

    name: ClassVar[str]
    """Of its files, `name.safetensors` and `name.jsonl`."""
    title: ClassVar[str]
    """What it is called in a sentence."""
    save_every: ClassVar[int]
    """Steps between saves of the state."""

    model: nn.Module
    """What is trained, in place."""
    optimizer: torch.optim.Optimizer
    config: Course
    run: Mapping[str, Any]
    """Everything that decides the result, as values of JSON."""

    @abstractmethod
    def take_step(self, step: int) -> float:
        """Step number `step`; the loss before it."""


def complete(stage: Stage, folder: Path, stop: StopSignals) -> bool:
    """Take the steps that are left; a stage that was stopped or killed goes on from its last state.

    Args:
        stage: as it is before its first step.
        folder: of the run.
        stop: looked at between steps; the caller looks too, and leaves.

    Returns:
        Whether all steps were taken; if not, a signal came.

    Raises:
        ConfigError: the folder holds this stage of other settings or other data.
    """
    state = folder / f"{stage.name}.safetensors"
    first, last = 0, stage.config.steps
    if state.exists():
        record = read_record(state)
        if record["run"] != stage.run:
            raise ConfigError(
                f"{folder} holds {stage.title} of other settings or other data: continue with "
                "those, or choose another folder."
            )
        load_state(state, stage.model, stage.optimizer)
        first = record["step"]
    log = RunLog(folder, first, f"{stage.name}.jsonl")
    with tqdm(total=last, initial=first, desc=stage.title, unit="step", disable=None) as progress:
        for step in range(first, last):
            started = time.perf_counter()
            loss = stage.take_step(step)
            progress.update()
            done = step + 1
            if done % LOG_EVERY == 0:
                log.write(done, {"loss": loss, "seconds": time.perf_counter() - started})
            if done % stage.save_every == 0 or done == last or stop.number:
                save_state(state, stage.model, stage.optimizer, {"run": stage.run, "step": done})
            if stop.number:
                return False
    return True
