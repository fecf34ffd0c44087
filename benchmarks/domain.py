"""How wrong scores are by similarity to the support: `python -m benchmarks.domain --help`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import open_store
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.similarity import tanimoto
from molmeta.errors import ConfigError
from molmeta.evaluation.metrics import brier_score, calibration_error, roc_auc
from molmeta.learners.base import HeadLearner

EDGES = (0.0, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.01)


@click.command()
@click.option("--assays", type=click.Path(path_type=Path), required=True)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--memory/--no-memory", default=True, show_default=True)
@click.option("--support-size", type=int, default=16, show_default=True)
@click.option("--runs", type=click.IntRange(1, 10), default=2, show_default=True)
@torch.no_grad()
def main(assays: Path, model: Path | None, memory: bool, support_size: int, runs: int) -> None:
    """Print Brier score and ROC-AUC of the pooled queries for each band of similarity."""
    torch.set_num_threads(1)
    store = open_store(assays)
    learner = load_checkpoint(model or shipped_model_path(), memory=memory).learner
    if not isinstance(learner, HeadLearner):
        raise ConfigError("This benchmark needs a learner that encodes each molecule once.")
    parts, known = [], []
    for task in store:
        everything = learner.embed(store.molecules.gather(task.molecules))
        if learner.memory is not None:
            known.append(float(learner.memory.knows(everything.molecules).double().mean()))
        for run in range(runs):
            draw = official_draw(task.labels, support_size, run)
            if draw is None:
                continue
            support, query = (torch.from_numpy(rows) for rows in draw)
            head = learner.fit_head(everything.gather(support), task.labels[support])
            probability = torch.sigmoid(head(everything.gather(query)).logit.double())
            molecules = everything.molecules
            nearest = tanimoto(molecules.gather(support), molecules.gather(query)).amax(0)
            parts.append(torch.stack([task.labels[query], probability, nearest]).numpy())
    labels, probabilities, similarity = np.concatenate(parts, axis=1).astype(np.float64)
    if known:
        click.echo(f"known to the memory, mean over assays: {np.mean(known):.0%}")
    error = calibration_error(labels, probabilities)
    click.echo(f"expected calibration error, pooled: {error:.3f}")
    for low, high in pairwise(EDGES):
        band = (similarity >= low) & (similarity < high)
        figures = [f(labels[band], probabilities[band]) for f in (brier_score, roc_auc)]
        click.echo(
            f"{low:4.2f} to {high:4.2f}  n {band.sum():6d}  "
            f"Brier {figures[0]:.3f}  AUC {figures[1]:.3f}"
        )


if __name__ == "__main__":
    main()
