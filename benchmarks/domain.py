"""Where scores should not be believed: `python -m benchmarks.domain --help`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore, open_store
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.similarity import tanimoto
from molmeta.errors import ConfigError
from molmeta.evaluation.metrics import Array, brier_score, calibration_error, roc_auc
from molmeta.learners.base import HeadLearner
from molmeta.scores import DOMAIN_SIMILARITY, UNSURE

SIMILARITY_EDGES = (0.0, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.01)
SURENESS_EDGES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5001)
COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)

MORE = 128
"""Further compounds, at most, that a later model is shown."""


@dataclass(frozen=True, slots=True)
class Queries:
    """What was said of all query molecules of all draws, and what was true."""

    label: Array
    """[n]."""
    logit: Array
    """[n]."""
    deviation: Array
    """[n], of the logit, by the method's own account."""
    similarity: Array
    """[n], to the nearest support compound."""
    later: Array
    """[n], the logit of a model that was shown half of the other query molecules too."""

    @property
    def probability(self) -> Array:
        """[n]."""
        return np.asarray(1 / (1 + np.exp(-self.logit)))

    @property
    def is_wrong(self) -> Array:
        """[n], 1 where the more probable class was not the true one."""
        return np.asarray((self.probability >= 0.5) != (self.label == 1), dtype=np.float64)

    @property
    def sureness(self) -> Array:
        """[n], how far the probability is from 1/2."""
        return np.asarray(np.abs(self.probability - 0.5))

    @property
    def is_withheld(self) -> NDArray[np.bool_]:
        """[n], bool: what `molmeta predict --abstain` gives no answer for."""
        low, high = UNSURE
        unsure = (low < self.probability) & (self.probability < high)
        return np.asarray(unsure | (self.similarity < DOMAIN_SIMILARITY), dtype=np.bool_)


@click.command()
@click.option("--assays", type=click.Path(path_type=Path), required=True)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--memory/--no-memory", default=True, show_default=True)
@click.option("--support-size", type=int, default=16, show_default=True)
@click.option("--runs", type=click.IntRange(1, 10), default=2, show_default=True)
@torch.no_grad()
def main(assays: Path, model: Path | None, memory: bool, support_size: int, runs: int) -> None:
    """Print how wrong scores are by similarity and by their own sureness, pooled over queries.

    Then what is gained by abstaining, and how far scores move as more compounds are measured.
    """
    torch.set_num_threads(1)
    store = open_store(assays)
    learner = load_checkpoint(model or shipped_model_path(), memory=memory).learner
    if not isinstance(learner, HeadLearner):
        raise ConfigError("This benchmark needs a learner that encodes each molecule once.")
    queries = _queries(learner, store, support_size, runs)
    error = calibration_error(queries.label, queries.probability)
    click.echo(f"expected calibration error, pooled: {error:.3f}")
    click.echo("similarity to the nearest support compound")
    for low, high in pairwise(SIMILARITY_EDGES):
        band = (queries.similarity >= low) & (queries.similarity < high)
        told = queries.label[band], queries.probability[band]
        click.echo(
            f"{low:4.2f} to {high:4.2f}  n {band.sum():6d}  Brier {brier_score(*told):.3f}  "
            f"AUC {roc_auc(*told):.3f}  wrong {_mean(queries.is_wrong[band])}"
        )
    click.echo("distance of the probability from 1/2")
    for low, high in pairwise(SURENESS_EDGES):
        band = (queries.sureness >= low) & (queries.sureness < high)
        click.echo(
            f"{low:4.2f} to {high:4.2f}  n {band.sum():6d}  wrong {_mean(queries.is_wrong[band])}"
        )
    _print_risk(queries)
    _print_reach(queries)


def _queries(learner: HeadLearner, store: AssayStore, support_size: int, runs: int) -> Queries:
    parts = []
    for task in store:
        everything = learner.embed(store.molecules.gather(task.molecules)).tabulated()

        def logits(known: Tensor, asked: Tensor, labels: Tensor = task.labels) -> Tensor:
            head = learner.fit_head(everything.gather(known), labels[known])  # noqa: B023
            prediction = head(everything.gather(asked))  # noqa: B023
            return torch.stack([prediction.logit, prediction.deviation]).double()

        nearest = everything.pairs(tanimoto, everything)
        for run in range(runs):
            draw = official_draw(task.labels, support_size, run)
            if draw is None:
                continue
            support, query = (torch.from_numpy(rows) for rows in draw)
            order = torch.randperm(len(query), generator=torch.Generator().manual_seed(run))
            later = torch.full((len(query),), torch.nan, dtype=torch.float64)
            half = len(query) // 2
            for shown, asked in ((order[:half], order[half:]), (order[half:], order[:half])):
                more = torch.cat([support, query[shown[:MORE]]])
                later[asked] = logits(more, query[asked])[0]
            said = logits(support, query)
            near = nearest[support][:, query].amax(0).double()
            parts.append(torch.stack([task.labels[query].double(), *said, near, later]).numpy())
    return Queries(*np.concatenate(parts, axis=1))


def _print_risk(queries: Queries) -> None:
    """The risk-coverage curve (El-Yaniv & Wiener 2010, JMLR 11, 1605), the surest answers first."""
    click.echo("share of wrong answers among the surest")
    for name, key in (
        ("by probability", queries.sureness),
        ("by similarity", queries.similarity),
        ("by deviation", -queries.deviation),
    ):
        wrong = queries.is_wrong[np.argsort(-key, kind="stable")]
        curve = (f"{share:.0%} {_mean(wrong[: int(share * len(wrong))])}" for share in COVERAGES)
        click.echo(f"  {name:16}" + "  ".join(curve))
    kept, withheld = ~queries.is_withheld, queries.is_withheld
    click.echo(
        f"--abstain answers {kept.mean():.0%}: wrong {_mean(queries.is_wrong[kept])}, of those "
        f"withheld {_mean(queries.is_wrong[withheld])}, of all {_mean(queries.is_wrong)}"
    )


def _print_reach(queries: Queries) -> None:
    """How far the log odds move when more is measured, and whether the deviation knows it."""
    moved = np.abs(queries.later - queries.logit)
    told = np.mean(moved <= 1.645 * queries.deviation)
    related = np.corrcoef(moved, queries.deviation)[0, 1]
    click.echo(
        f"log odds after half of the others (at most {MORE}) are measured too: nine of ten moved "
        f"by less than {np.quantile(moved, 0.9):.2f}; {told:.1%} by less than 1.645 deviations; "
        f"correlation with the deviation {related:+.2f}"
    )


def _mean(values: Array) -> str:
    return f"{values.mean():.3f}" if len(values) else "-"


if __name__ == "__main__":
    main()
