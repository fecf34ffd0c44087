"""What each part of a deep kernel adds: `python -m benchmarks.ablation --help`."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import torch

from molmeta.assays.store import open_store
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import run_protocol, summarize
from molmeta.learners.deepkernel import DeepKernel
from molmeta.training.calibration import CalibrationConfig, calibrate
from molmeta.training.set_aside import set_aside

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "all": (),
    "no learned kernels": ("linear", "rbf"),
    "no kernel on structures": ("tanimoto",),
    "features weighed alike": (),
    "no memory kernel": ("memory",),
    "no mean of the memory": ("memory_mean",),
    "no resemblance": ("resemblance",),
    "unlike the support or not": ("unlike",),
    "no memory at all": ("memory", "memory_mean", "resemblance"),
}
"""Name of the row -> the settings that are switched off."""

_OFF: Final = -30.0
"""Logarithm of a weight that is nothing beside any other."""


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="The meta-train assays of the model; settings are fitted on those it set aside.",
)
@click.option(
    "--assays",
    "folds",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A fold to measure on; may be repeated.",
)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--steps", type=click.IntRange(min=1), default=150, show_default=True)
@click.option("--runs", type=click.IntRange(1, 10), default=5, show_default=True)
def main(data: Path, folds: tuple[Path, ...], model: Path | None, steps: int, runs: int) -> None:
    """Print ΔAUPRC at 16 and 64 compounds without each part, the others fitted anew."""
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(model or shipped_model_path())
    learner, origin = checkpoint.learner, checkpoint.provenance
    if not isinstance(learner, DeepKernel):
        raise ConfigError("This benchmark takes a deep kernel apart: give one.")
    trained_on = open_store(data)
    if origin.data_sha256 != (trained_on.sha256,):
        raise ConfigError(f"The model was trained on other assays than those of {data}.")
    stores = {path.stem: open_store(path) for path in folds}
    config = CalibrationConfig(steps=steps)
    _, aside, places = set_aside(trained_on, config.share, origin.seed)
    # Without values, because the settings that predict those are not asked for.
    classes = [replace(task, log_values=task.log_values * torch.nan) for task in aside]
    aside = replace(aside, tasks=tuple(classes))
    for part, names in PARTS.items():
        without = copy.deepcopy(learner)
        for name in names:
            setting = without.settings[name].requires_grad_(False)
            setting.zero_()[0] = _OFF
        if part == "features weighed alike":
            without.fingerprint.log_weights.zero_()
        calibrate(without, aside, config, origin.seed, places)
        cells = []
        for store in stores.values():
            tasks = run_protocol(without, store, (16, 64), range(runs))
            means = summarize([draw for task in tasks for draw in task])
            cells += [f"{means[size].mean:.3f}" for size in (16, 64)]
        click.echo(f"{part:32}" + "  ".join(cells))


if __name__ == "__main__":
    main()
