"""What each part of a deep kernel adds: `python -m benchmarks.ablation --help`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Final

import click
import torch

from molmeta.assays.store import join_stores, open_store
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import run_protocol, summarize
from molmeta.learners.deepkernel import DeepKernel
from molmeta.training.calibration import CalibrationConfig, calibrate

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "all": (),
    "no learned kernels": ("linear", "rbf"),
    "no kernel on structures": ("tanimoto",),
    "features weighed alike": (),
    "no memory kernel": ("memory",),
    "no mean of the memory": ("memory_mean",),
    "no resemblance": ("resemblance",),
    "no memory at all": ("memory", "memory_mean", "resemblance"),
}
"""Name of the row -> the settings that are switched off."""

_OFF: Final = -30.0
"""Logarithm of a weight that is nothing beside any other."""


@click.command()
@click.option(
    "--assays",
    "folds",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A fold; may be repeated. The settings that are left are fitted on all of them.",
)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--steps", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--runs", type=click.IntRange(1, 10), default=5, show_default=True)
def main(folds: tuple[Path, ...], model: Path | None, steps: int, runs: int) -> None:
    """Print ΔAUPRC at 16 and 64 compounds without each part, the others fitted anew."""
    torch.set_num_threads(1)
    learner = load_checkpoint(model or shipped_model_path()).learner
    if not isinstance(learner, DeepKernel):
        raise ConfigError("This benchmark takes a deep kernel apart: give one.")
    stores = {path.stem: open_store(path) for path in folds}
    config = CalibrationConfig(steps=steps)
    for part, names in PARTS.items():
        without = copy.deepcopy(learner)
        for name in names:
            setting = without.settings[name].requires_grad_(False)
            setting.zero_()[0] = _OFF
        if part == "features weighed alike":
            without.fingerprint.log_weights.zero_()
        calibrate(without, join_stores(list(stores.values())), config, seed=0)
        cells = []
        for store in stores.values():
            tasks = run_protocol(without, store, (16, 64), range(runs))
            means = summarize([draw for task in tasks for draw in task])
            cells += [f"{means[size].mean:.3f}" for size in (16, 64)]
        click.echo(f"{part:24}" + "  ".join(cells))


if __name__ == "__main__":
    main()
