"""Whether the verdict of `molmeta check` comes true: `python -m benchmarks.check --help`.

Supports are drawn from assays whose other compounds tell what the model was worth.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import open_store
from molmeta.assays.task import LabeledMolecules
from molmeta.checkpoint import Checkpoint, load_checkpoint, shipped_model_path
from molmeta.evaluation.check import (
    MODEL,
    NEIGHBOURS,
    SelfCheck,
    Verdict,
    baselines,
    check_target,
)
from molmeta.evaluation.metrics import Array, delta_auprc, roc_auc
from molmeta.learners.base import Learner
from molmeta.target import TargetModel


@click.command()
@click.option("--assays", type=click.Path(path_type=Path), required=True)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--memory/--no-memory", default=True, show_default=True)
@click.option("--support-size", type=int, default=32, show_default=True)
@click.option("--runs", type=click.IntRange(1, 10), default=2, show_default=True)
@click.option("--every", type=int, default=1, show_default=True, help="Take each nth assay alone.")
def main(
    assays: Path, model: Path | None, memory: bool, support_size: int, runs: int, every: int
) -> None:
    """Print, for each verdict, how the model and its rivals rank the rest of the assay."""
    torch.set_num_threads(1)
    store = open_store(assays)
    checkpoint = load_checkpoint(model or shipped_model_path(), memory=memory)
    ranked: dict[Verdict, list[tuple[float, ...]]] = defaultdict(list)
    held, tried = Counter[str](), Counter[str]()
    fell = defaultdict[str, list[float]](list)
    for task in store.tasks[::every]:
        molecules = store.molecules.gather(task.molecules)
        for run in range(runs):
            draw = official_draw(task.labels, support_size, run)
            if draw is None:
                continue
            support, query = (
                LabeledMolecules(molecules.gather(rows), task.labels[rows])
                for rows in map(torch.from_numpy, draw)
            )
            check, figures = _outcome(checkpoint, support, query)
            model_precision, model_auc = figures[MODEL]
            rivals = [figures[name][0] for name in (NEIGHBOURS, check.best_baseline)]
            ranked[check.verdict].append(
                (model_precision, *(model_precision - rival for rival in rivals))
            )
            for one in check.methods:
                if one.method in figures:
                    inside = one.roc_auc.low <= figures[one.method][1] <= one.roc_auc.high
                    held[one.method] += inside
                    tried[one.method] += 1
            gap = model_auc - figures[check.best_baseline][1]
            estimates = {one.method: one.roc_auc.value for one in check.methods}
            fell["the model"].append(estimates[MODEL] - model_auc)
            fell["the best baseline"].append(
                estimates[check.best_baseline] - figures[check.best_baseline][1]
            )
            held["difference"] += check.difference.low <= gap <= check.difference.high
            tried["difference"] += 1
    total = sum(map(len, ranked.values()))
    click.echo(
        "verdict: share; ΔAUPRC on the rest, minus nearest neighbours, "
        "minus the baseline that was best in the check"
    )
    for verdict in reversed(Verdict):
        outcomes = np.array(ranked[verdict]).reshape(-1, 3)
        error = outcomes.std(0, ddof=1) / np.sqrt(len(outcomes)) if len(outcomes) > 1 else [np.nan]
        means = "  ".join(f"{mean:+.3f}" for mean in outcomes.mean(0)) if len(outcomes) else "-"
        click.echo(
            f"{verdict:32}  {len(outcomes) / total:4.0%} ({len(outcomes)})  {means}  "
            f"(± {error[0]:.3f})"
        )
    shares = ", ".join(f"{name} {held[name] / tried[name]:.0%}" for name in tried)
    click.echo(f"intervals that hold the figure on the rest: {shares}")
    falls = ", ".join(f"{name} {np.mean(values):+.3f}" for name, values in fell.items())
    click.echo(f"ROC-AUC in the check minus that on the rest: {falls}")


def _outcome(
    checkpoint: Checkpoint, support: LabeledMolecules, query: LabeledMolecules
) -> tuple[SelfCheck, dict[str, tuple[float, float]]]:
    """The check of the support, and each method's ΔAUPRC and ROC-AUC on the query."""
    target = TargetModel(replace(checkpoint, support=support))
    labels = query.labels.numpy().astype(np.float64)
    methods = {MODEL: checkpoint.learner, **baselines()}
    figures = {}
    for name, method in methods.items():
        scores = _scores(method, support, query)
        figures[name] = (delta_auprc(labels, scores), roc_auc(labels, scores))
    return check_target(target), figures


@torch.no_grad()
def _scores(method: Learner, support: LabeledMolecules, query: LabeledMolecules) -> Array:
    logits = method.adapt(support)(query.molecules).logit
    return np.asarray(logits.double().numpy(), dtype=np.float64)


if __name__ == "__main__":
    main()
