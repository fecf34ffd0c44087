"""The few-shot protocol on MoleculeNet's test tasks: `python -m benchmarks.moleculenet --help`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np
import torch
from molmeta_cli.main import exit_codes
from torch import Tensor
from tqdm import tqdm

from molmeta.assays.store import AssayStore, open_store
from molmeta.assays.task import LabeledMolecules, Task
from molmeta.checkpoint import Checkpoint, load_checkpoint, shipped_model_path
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import InputError
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.protocol import DrawResult
from molmeta.evaluation.report import write_results
from molmeta.learners.base import Embedded, HeadLearner, Learner
from molmeta.learners.registry import LEARNERS

DATA_SETS: Final = ("tox21", "sider", "muv", "toxcast")
BASELINES: Final = tuple(name for name, kind in LEARNERS.items() if not kind.trainable)
SHOTS: Final = 10
"""Actives in a support, and as many inactives."""
_CHUNK: Final = 2_048
"""Molecules a pass of the encoder; bounds the memory."""

Scoring = Callable[[Tensor], Tensor]
"""Support rows [n_support] of a task to the logits of all its molecules [n]."""


@click.command(context_settings={"max_content_width": 100})
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of what data_recipes.moleculenet made: tox21/test.parquet and so on.",
)
@click.option(
    "--dataset",
    "names",
    type=click.Choice(DATA_SETS),
    multiple=True,
    help="May be repeated. Default: those that --source has.",
)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A meta-trained model; may be repeated. Default: the shipped one.",
)
@click.option("--memory/--no-memory", default=True, show_default=True)
@click.option("--baseline", "baselines", type=click.Choice(BASELINES), multiple=True)
@click.option(
    "--seeds", type=click.IntRange(min=2), default=10, show_default=True, help="Draws a task."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for draws.parquet and summary.json of each data set.",
)
@click.pass_context
def main(
    ctx: click.Context,
    source: Path,
    names: tuple[str, ...],
    models: tuple[Path, ...],
    memory: bool,
    baselines: tuple[str, ...],
    seeds: int,
    output: Path | None,
) -> None:
    """Print ROC-AUC in %: mean over the test tasks ± standard deviation over the draws.

    Ten actives and ten inactives are the support, drawn anew for each seed; all others of the task
    are the query. A model is measured as its file is: nothing is chosen by these numbers. Papers
    meta-train on the data set's own train tasks; the row of a model that was trained elsewhere, as
    the shipped one, tells how well it transfers.
    """
    torch.set_num_threads(1)
    with exit_codes(ctx):
        suffix = "" if memory else " without memory"
        checkpoints = {
            (str(path) if models else "shipped") + suffix: load_checkpoint(path, memory=memory)
            for path in models or [shipped_model_path()]
        }
        learners = {name: checkpoint.learner for name, checkpoint in checkpoints.items()}
        for name in baselines:
            learners[name] = LEARNERS[name](EncoderConfig(), LEARNERS[name].Config())
        for name, checkpoint in checkpoints.items():
            click.echo(f"{name}: meta-trained on {checkpoint.provenance.data}")
        for name, path in _test_folds(source, names).items():
            store = open_store(path)
            click.echo(f"{name}: {_composition(store, checkpoints)}")
            results: dict[str, list[DrawResult]] = {}
            for method, learner in learners.items():
                draws = few_shot_results(learner, store, range(seeds), f"{name} {method}")
                results[method] = list(draws)
                click.echo(f"  {method}  {_figure(results[method])}")
            if output:
                about = {
                    "protocol": f"moleculenet {name}, {SHOTS} actives and {SHOTS} inactives",
                    "assays_sha256": store.sha256,
                    "runs": seeds,
                    "memory": memory,
                }
                write_results(output / name, results, about)


def few_shot_results(
    learner: Learner, store: AssayStore, seeds: Sequence[int], label: str = ""
) -> Iterator[DrawResult]:
    """One result for each task and seed; a task of too few molecules gives none.

    The learner is put into evaluation mode. A HeadLearner encodes each molecule once.
    """
    learner.eval()
    embedded = _embed(learner, store) if isinstance(learner, HeadLearner) else None
    for place, task in enumerate(tqdm(store.tasks, desc=label, unit="task", disable=None)):
        score = _scoring(learner, store, embedded, task)
        for seed in seeds:
            draw = balanced_draw(task.labels, np.random.default_rng((seed, place)))
            if draw is None:
                continue
            support, query = draw
            # Ranked in double precision: float32 probabilities near 0 and 1 would tie.
            probabilities = torch.sigmoid(score(support)[query].double()).numpy()
            truth = task.labels[query].double().numpy()
            yield DrawResult(
                assay_id=task.assay_id,
                support_size=len(support),
                run=seed,
                n_query=len(query),
                share_active=float(truth.mean()),
                metrics={name: metric(truth, probabilities) for name, metric in METRICS.items()},
            )


def balanced_draw(labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor] | None:
    """Support rows, `SHOTS` of each class, and all other rows; None where a class runs out.

    Args:
        labels: [n], 1 active and 0 inactive.
        rng: of the draw.
    """
    support, query = [], []
    for label in (1, 0):
        rows = rng.permutation(np.flatnonzero(labels.numpy() == label))
        support.append(rows[:SHOTS])
        query.append(rows[SHOTS:])
    if not all(map(len, query)):
        return None
    return torch.from_numpy(np.concatenate(support)), torch.from_numpy(
        np.sort(np.concatenate(query))
    )


def mean_and_deviation(draws: Sequence[DrawResult]) -> tuple[float, float]:
    """ROC-AUC in %: mean over tasks for each seed, then mean and deviation (ddof 1) over seeds."""
    by_seed: dict[int, list[float]] = {}
    for draw in draws:
        by_seed.setdefault(draw.run, []).append(draw.metrics["roc_auc"])
    means = 100 * np.array([np.mean(values) for values in by_seed.values()])
    if not len(means):
        return float("nan"), float("nan")
    return float(means.mean()), float(means.std(ddof=1))


def _scoring(learner: Learner, store: AssayStore, embedded: Embedded | None, task: Task) -> Scoring:
    """Each molecule is judged by itself alone, so the query may be scored with all the others."""
    if embedded is not None and isinstance(learner, HeadLearner):
        everything = embedded.gather(task.molecules)

        def by_head(support: Tensor) -> Tensor:
            with torch.no_grad():
                head = learner.fit_head(everything.gather(support), task.labels[support])
                return head(everything).logit

        return by_head

    molecules = store.molecules.gather(task.molecules)

    def by_adapting(support: Tensor) -> Tensor:
        labeled = LabeledMolecules(molecules.gather(support), task.labels[support])
        predictor = learner.adapt(labeled)
        with torch.no_grad():
            return predictor(molecules).logit

    return by_adapting


@torch.no_grad()
def _embed(learner: HeadLearner, store: AssayStore) -> Embedded:
    n = len(store.molecules)
    chunks = (torch.arange(start, min(start + _CHUNK, n)) for start in range(0, n, _CHUNK))
    vectors = [learner.embed(store.molecules.gather(chunk)).vectors for chunk in chunks]
    return Embedded(torch.cat(vectors), store.molecules)


def _test_folds(source: Path, names: Sequence[str]) -> dict[str, Path]:
    """test.parquet of each data set: of those in `names`, or of all that are there."""
    paths = {name: source / name / "test.parquet" for name in names or DATA_SETS}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing and (names or len(missing) == len(paths)):
        raise InputError(
            f"There is no {paths[missing[0]]}: make it with python -m data_recipes.moleculenet "
            f"--dataset {missing[0]} --out {source / missing[0]}."
        )
    return {name: path for name, path in paths.items() if name not in missing}


def _composition(store: AssayStore, checkpoints: dict[str, Checkpoint]) -> str:
    """How many tasks and molecules, and which share of them each model has seen, on any assay."""
    text = f"{len(store)} test tasks, {len(store.molecules):,} molecules"
    for name, checkpoint in checkpoints.items():
        is_seen = torch.isin(store.molecules.keys, checkpoint.seen_keys)
        share = torch.stack([is_seen[task.molecules].double().mean() for task in store]).mean()
        text += f"; {share:.0%} of a task's were in the meta-training of {name}"
    return text


def _figure(draws: Sequence[DrawResult]) -> str:
    mean, deviation = mean_and_deviation(draws)
    n_undefined = sum(np.isnan(draw.metrics["roc_auc"]) for draw in draws)
    told = f" ({n_undefined} undefined)" if n_undefined else ""
    return f"{mean:.1f} ± {deviation:.1f} over {len({d.assay_id for d in draws})} tasks{told}"


if __name__ == "__main__":
    main()
