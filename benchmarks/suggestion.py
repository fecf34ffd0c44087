"""How many hits the picks of `molmeta suggest` bring: `python -m benchmarks.suggestion --help`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
import torch
from torch import Tensor

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore, open_store
from molmeta.assays.task import Task
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.similarity import tanimoto
from molmeta.errors import ConfigError
from molmeta.evaluation.metrics import Array
from molmeta.learners.base import Embedded
from molmeta.learners.parts import Joint, JointHead
from molmeta.learners.values import ValueHeadLearner
from molmeta.suggestion.candidates import POOL
from molmeta.suggestion.picking import MAX_SIMILARITY, OPTIMISM, picked_places

DISTINCT: Final = 0.6
"""Tanimoto similarity from which two hits are of one kind."""

TOP_SHARE: Final = 0.1
"""Of an assay's values, the most potent: its hits where values are asked for."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of an assay, and what is left to choose from."""

    score: Tensor
    """[n_left], by which predictions are ranked."""
    belief: Joint
    """About the n_left."""
    between: Tensor
    """[n_left, n_left], Tanimoto similarity."""
    to_hits: Tensor
    """[n_left], similarity to the nearest hit so far."""
    generator: torch.Generator


def _prospects(optimism: float, max_similarity: float) -> Callable[[Situation, int], list[int]]:
    def pick(now: Situation, batch: int) -> list[int]:
        places = now.score.argsort(descending=True)[:POOL]
        mean, covariance = now.belief.mean[places], now.belief.covariance[places][:, places]
        between = now.between[places][:, places]
        picks = picked_places(
            Joint(mean, covariance, now.belief.noise),
            lambda place: between[place],
            batch,
            optimism=optimism,
            max_similarity=max_similarity,
        )
        return [int(places[place]) for place, _ in picks]

    return pick


def _best(score: Callable[[Situation], Tensor]) -> Callable[[Situation, int], list[int]]:
    def pick(now: Situation, batch: int) -> list[int]:
        places: list[int] = score(now).argsort(descending=True)[:batch].tolist()
        return places

    return pick


GREEDY: Final = "scores alone"
STRATEGIES: Final[Mapping[str, Callable[[Situation, int], list[int]]]] = {
    GREEDY: _best(lambda now: now.score),
    "molmeta suggest": _prospects(OPTIMISM, MAX_SIMILARITY),
    "the same, no cap": _prospects(OPTIMISM, 1.0),
    "scores, cap .9": _prospects(0.0, 0.9),
    "scores, cap .7": _prospects(0.0, 0.7),
    "optimism 1": _prospects(1.0, MAX_SIMILARITY),
    "similarity to hits": _best(lambda now: now.to_hits),
    "random": _best(lambda now: torch.rand(len(now.score), generator=now.generator)),
}
"""How a batch is chosen -> the places of its compounds, from a situation and its size."""

PLOTTED: Final = ("molmeta suggest", GREEDY, "similarity to hits", "random")


@click.command()
@click.option("--assays", type=click.Path(path_type=Path), required=True)
@click.option("--model", type=click.Path(path_type=Path), help="Default: the shipped one.")
@click.option("--memory/--no-memory", default=True, show_default=True)
@click.option("--support-size", type=int, default=16, show_default=True)
@click.option("--batch", type=int, default=8, show_default=True)
@click.option("--rounds", type=int, default=3, show_default=True)
@click.option("--runs", type=click.IntRange(1, 10), default=2, show_default=True)
@click.option("--largest", type=int, default=500, show_default=True, help="Leave larger ones out.")
@click.option("--values", is_flag=True, help="Learn values, and look for the most potent tenth.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.svg")
@torch.no_grad()
def main(
    assays: Path,
    model: Path | None,
    memory: bool,
    support_size: int,
    batch: int,
    rounds: int,
    runs: int,
    largest: int,
    values: bool,
    plot: Path | None,
) -> None:
    """Print the hits found after each round, mean over assays, and how many kinds they are of.

    Beside each the difference to the scores alone, with its standard error over assays.
    """
    torch.set_num_threads(1)
    store = open_store(assays)
    learner = load_checkpoint(model or shipped_model_path(), memory=memory).learner
    if not isinstance(learner, ValueHeadLearner):
        raise ConfigError("This benchmark needs a learner whose head knows classes and values.")
    least = support_size + (rounds + 1) * batch
    found = defaultdict[str, list[Array]](list)
    for task in store:
        if not least <= len(task) <= largest or (values and not _has_values(task)):
            continue
        draws = [official_draw(task.labels, support_size, run) for run in range(runs)]
        supports = [torch.from_numpy(draw[0]) for draw in draws if draw is not None]
        if not supports:
            continue
        campaign = _Campaign(learner, store, task, values)
        for name in STRATEGIES:
            each = [
                campaign.run(name, known, batch, rounds, seed)
                for seed, known in enumerate(supports)
            ]
            found[name].append(np.mean(each, axis=0))
    n = len(found[GREEDY])
    click.echo(f"{n} assays; hits after each round, then how many kinds they are of")
    for name, outcomes in found.items():
        figures = np.array(outcomes)
        gaps = figures - np.array(found[GREEDY])
        errors = _standard_error(gaps)
        means = "  ".join(f"{mean:5.2f}" for mean in figures.mean(0))
        beside = "  ".join(f"{g:+.2f} ± {e:.2f}" for g, e in zip(gaps.mean(0), errors, strict=True))
        click.echo(f"{name:20}{means}    {beside}")
    if plot is not None:
        plot.write_text(_figure(found, batch, rounds, support_size) + "\n", encoding="utf-8")


def _standard_error(values: Array) -> Array:
    """Of the mean over rows: [n_columns], NaN of fewer than two."""
    n = len(values)
    undefined = np.full(values.shape[1], np.nan)
    return undefined if n < 2 else np.asarray(values.std(0, ddof=1) / np.sqrt(n))


def _has_values(task: Task) -> bool:
    """Whether the assay has enough values that differ for a most potent tenth to be told."""
    return bool(task.log_values.isfinite().all()) and len(set(task.log_values.tolist())) >= 10


class _Campaign:
    """An assay that is measured round by round."""

    def __init__(
        self, learner: ValueHeadLearner, store: AssayStore, task: Task, values: bool
    ) -> None:
        self.learner, self.task, self.values = learner, task, values
        self.everything = learner.embed(store.molecules.gather(task.molecules)).tabulated()
        self.between = self.everything.pairs(tanimoto, self.everything)
        least = torch.quantile(task.log_values, 1 - TOP_SHARE) if values else torch.tensor(0.0)
        self.is_hit = task.log_values >= least if values else task.labels == 1

    def run(self, name: str, known: Tensor, batch: int, rounds: int, seed: int) -> Array:
        """Hits found after each round, and how many kinds they are of: [rounds + 1]."""
        generator = torch.Generator().manual_seed(seed)
        n_known = len(known)
        counts = []
        for _ in range(rounds):
            left = torch.ones(len(self.task), dtype=torch.bool)
            left[known] = False
            rows = left.nonzero()[:, 0]
            picks = STRATEGIES[name](self._situation(known, rows, generator), batch)
            known = torch.cat([known, rows[picks]])
            counts.append(int(self.is_hit[known[n_known:]].sum()))
        new = known[n_known:]
        return np.array([*counts, self._kinds(new[self.is_hit[new]])], dtype=np.float64)

    def _situation(self, known: Tensor, left: Tensor, generator: torch.Generator) -> Situation:
        support, query = self.everything.gather(known), self.everything.gather(left)
        score, belief = self._judged(support, query, known)
        hits = known[self._is_hit_among(known)]
        return Situation(
            score,
            belief,
            self.between[left][:, left],
            self.between[hits][:, left].amax(0),
            generator,
        )

    def _judged(self, support: Embedded, query: Embedded, known: Tensor) -> tuple[Tensor, Joint]:
        """What ranks the query, and the belief about all of it."""
        task = self.task
        if self.values:
            values = self.learner.fit_value_head(
                support, task.log_values[known], task.relations[known]
            )
            return values(query).mean, _belief(values, query)
        classes = self.learner.fit_head(support, task.labels[known])
        return classes(query).logit, _belief(classes, query)

    def _is_hit_among(self, known: Tensor) -> Tensor:
        """The hits among what is known, or the best of it where there is none yet: [n_known]."""
        found = self.is_hit[known]
        if bool(found.any()):
            return found
        return self.task.log_values[known] >= self.task.log_values[known].max()

    def _kinds(self, hits: Tensor) -> int:
        """How many of the hits, one after the other, are unlike all that were counted."""
        kept: list[int] = []
        for hit in hits.tolist():
            if not kept or float(self.between[hit, kept].max()) < DISTINCT:
                kept.append(hit)
        return len(kept)


def _belief(head: object, query: Embedded) -> Joint:
    if not isinstance(head, JointHead):
        raise ConfigError("This benchmark needs a learner with a joint belief: a deep kernel.")
    return head.joint(query)


def _figure(found: Mapping[str, list[Array]], batch: int, rounds: int, support_size: int) -> str:
    """Mean hits ± standard error over assays against the compounds measured."""
    from molmeta.evaluation.svg import new_figure, style_of, svg_of

    measured = batch * np.arange(rounds + 1)
    with new_figure(6.4, 4.2) as figure:
        axes = figure.add_axes((0.1, 0.13, 0.87, 0.84))
        for place, name in enumerate(PLOTTED):
            hits = np.array(found[name])[:, :rounds]
            means = np.concatenate([[0.0], hits.mean(0)])
            errors = np.concatenate([[0.0], _standard_error(hits)])
            style = style_of(place)
            axes.errorbar(
                measured + 0.15 * (place - len(PLOTTED) / 2),
                means,
                errors,
                color=style.color,
                marker=style.marker,
                linestyle=style.line,
                capsize=2,
                label=name,
            )
        axes.set_xticks(measured)
        axes.set_xlabel(f"compounds measured after the first {support_size}")
        axes.set_ylabel("hits found")
        axes.legend(frameon=False)
        element = svg_of(figure, "Hits found against compounds measured, by how they were chosen")
        # As a file of its own it must say what it is.
        return element.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


if __name__ == "__main__":
    main()
