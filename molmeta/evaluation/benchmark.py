"""A whole benchmark: files of assays and models in, measured and compared results out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from molmeta.assays.store import AssayStore, open_store
from molmeta.checkpoint import load_checkpoint
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError, InputError
from molmeta.evaluation.comparison import ComparedMethods, compare_all
from molmeta.evaluation.protocol import DrawResult, run_task, task_means
from molmeta.evaluation.report import table_of, table_of_comparisons, write_results
from molmeta.evaluation.saved_results import read_published, read_strata
from molmeta.evaluation.strata import by_stratum, shares_known, strata_of
from molmeta.evaluation.value_protocol import has_values, run_value_task
from molmeta.evaluation.workers import run_methods
from molmeta.learners.base import Learner
from molmeta.learners.registry import LEARNERS

BASELINES = tuple(name for name, kind in LEARNERS.items() if not kind.trainable)


@dataclass(frozen=True, slots=True)
class Methods:
    """What is measured."""

    learners: dict[str, Learner]
    seen_keys: Tensor
    """[n], int64: identity keys of the molecules that any of the models was meta-trained on."""


@dataclass(frozen=True, slots=True)
class BenchmarkResults:
    """What a benchmark found."""

    store: AssayStore
    draws: dict[str, list[DrawResult]]
    """Of each method."""
    strata: dict[str, str]
    """Stratum of each assay; empty where nothing is known."""
    comparisons: list[ComparedMethods]
    """Of the first metric, between any two methods and with the published ones."""
    values: bool = False
    """Whether values were predicted, and not classes."""

    def write(
        self, folder: Path, about: Mapping[str, object], *, keep_predictions: bool = False
    ) -> None:
        """Write the results into `folder`, as `report.write_results` says.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_results(
            folder,
            self.draws,
            {**about, "assays_sha256": self.store.sha256},
            strata=self.strata,
            comparisons=self.comparisons,
            predictions_of=self.store if keep_predictions else None,
        )

    def tables(self) -> str:
        """The first metric of all assays and by stratum, calibration, and comparisons as text.

        Comparisons of baselines are left to the file where there is a model to judge.
        """
        name, metric = ("R² out of sample", "r2") if self.values else ("ΔAUPRC", "delta_auprc")
        parts = {name: table_of(self.draws, metric)}
        for stratum, assays in by_stratum(self.store, self.strata).items():
            title = f"{name}, {stratum} ({len(assays)} of {len(self.store)} assays)"
            parts[title] = table_of(self.draws, metric, assays)
        if self.values:
            title = "Share of measured values within their 90 % interval"
            parts[title] = table_of(self.draws, "coverage")
        else:
            title = "Expected calibration error of all query molecules together"
            parts[title] = table_of(self.draws, "pooled_calibration_error")
        judged = [name for name in self.draws if name not in BASELINES] or list(self.draws)
        if shown := [one for one in self.comparisons if one.method in judged]:
            title = f"Difference in {name}, paired by assay, with the p of Wilcoxon's signed ranks"
            parts[title] = table_of_comparisons(shown)
        return "\n\n".join(f"{title}\n{table}" for title, table in parts.items())


def load_methods(
    models: Mapping[str, Path],
    baselines: Sequence[str],
    *,
    memories: Sequence[bool] = (True,),
    device: torch.device | str = "cpu",
) -> Methods:
    """Baselines and meta-trained models, ready to be measured.

    Args:
        models: checkpoints by the name that they get in the tables.
        baselines: names in BASELINES.
        memories: whether models may draw on their compound memory; both for each model twice.
        device: for the models.

    Raises:
        ConfigError: no such baseline.
        CheckpointError: a model cannot be used.
    """
    if unknown := [name for name in baselines if name not in BASELINES]:
        known = ", ".join(BASELINES)
        raise ConfigError(f"There is no baseline {unknown[0]!r}; known are {known}.")
    learners: dict[str, Learner] = {}
    seen = [torch.empty(0, dtype=torch.int64)]
    for name, path in models.items():
        for memory in memories:
            checkpoint = load_checkpoint(path, device=device, memory=memory)
            learners[name if memory else f"{name} without memory"] = checkpoint.learner
            seen.append(checkpoint.seen_keys.cpu())
    for name in baselines:
        learners[name] = LEARNERS[name](EncoderConfig(), LEARNERS[name].Config())
    return Methods(learners, torch.unique(torch.cat(seen)))


def run_benchmark(
    assays: Path,
    methods: Methods,
    *,
    support_sizes: Sequence[int],
    runs: Sequence[int],
    strata: Path | None = None,
    train_assays: Path | None = None,
    published: Path | None = None,
    device: torch.device | str = "cpu",
    workers: int = 1,
    values: bool = False,
) -> BenchmarkResults:
    """Measure the methods by the FS-Mol protocol.

    Args:
        assays: a Parquet file or a folder of them.
        methods: from `load_methods`.
        support_sizes: totals.
        runs: which of the ten official draws.
        strata: a table of assay_id and stratum; else the strata are by overlap with what the models
            and `train_assays` know.
        train_assays: assays whose molecules count as known, beside those of the models.
        published: results on each task to compare with: method, task, support_size and
            delta_auprc_mean, or r2_os_mean for values.
        device: for the molecules.
        workers: processes, on the CPU only.
        values: predict values, by the regression protocol, on the assays that have them.

    Raises:
        InputError: a file cannot be used, or the published results are of other assays.
        ConfigError: several workers and a GPU, or a method that predicts no values.
    """
    if workers > 1 and torch.device(device).type != "cpu":
        raise ConfigError("Several workers share no GPU: use --workers 1 or --device cpu.")
    # All files are read before the long run.
    metric, task_run = ("r2", run_value_task) if values else ("delta_auprc", run_task)
    theirs = read_published(published, metric) if published else {}
    stratum_of = read_strata(strata) if strata else {}
    store = open_store(assays).to(device)
    if values:
        store = replace(store, tasks=tuple(task for task in store if has_values(task)))
        if not len(store):
            raise InputError(f"No assay in {assays} has a log_value in every row.")
    seen = methods.seen_keys
    if train_assays:
        seen = torch.unique(torch.cat([seen, open_store(train_assays).molecules.keys]))
    measured = {task.assay_id for task in store}
    if published and not any(measured & of.keys() for by in theirs.values() for of in by.values()):
        raise InputError(f"None of the assays in {assays} is among the results in {published}.")
    if not strata and len(seen):
        stratum_of = strata_of(shares_known(store, seen))
    draws = run_methods(methods.learners, store, support_sizes, runs, workers, task_run)
    ours = {name: task_means(results, metric) for name, results in draws.items()}
    return BenchmarkResults(store, draws, stratum_of, compare_all(ours, theirs), values)
