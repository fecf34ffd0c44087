"""Optuna over the settings that a meta-trained learner adapts with; its weights stay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import DrawResult, run_protocol, summarize
from molmeta.learners.base import Learner
from molmeta.learners.space import Choice, Float, Int, Range
from molmeta.training.schedule import mixed_seed
from molmeta.training.studies import open_study

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """What decides the result of a study, besides the learner and the assays."""

    trials: int = 50
    """Of the whole study, those of other processes and of earlier starts included."""
    support_sizes: tuple[int, ...] = (16, 64)
    runs: int = 5
    """Official draws a task and support size."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigError: naming the setting.
        """
        for name in ("trials", "runs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not self.support_sizes or min(self.support_sizes) < 2:
            raise ConfigError(f"Support sizes are at least 2, not {self.support_sizes}.")
        if self.seed < 0:
            raise ConfigError(f"seed must not be below 0, and is {self.seed}.")


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a study found."""

    before: dict[str, Any]
    """The settings that the learner came with."""
    settings: dict[str, Any]
    """The best ones; those of `before` where nothing did better."""
    score_before: float
    score: float
    """Mean over the tasks of the mean ΔAUPRC over their draws. A maximum over trials on these
    assays: on other assays expect less."""


def tune(
    learner: Learner,
    store: AssayStore,
    config: TuningConfig,
    *,
    model_sha256: str,
    storage: str,
    study_name: str,
) -> Tuned:
    """Find the settings with the best mean ΔAUPRC on official draws, and give them to `learner`.

    Trials are compared task by task: one that does worse than the best beyond chance (Wilcoxon's
    signed-rank test) is given up before the last task. The first trial has the present settings,
    and only trials over all tasks can win, so the result is never worse on these assays.

    The study is kept in `storage` after every task: several processes may work on one, and one
    that was stopped or killed goes on with what was found. A process that works alone proposes the
    same trials whether it was stopped between two of them or not.

    Args:
        learner: meta-trained; gets the best settings, or keeps its own if this is broken off.
        store: assays that it was not trained on.
        config: of the study.
        model_sha256: of the learner's file, to tell studies of different models apart.
        storage: as `open_study` takes it.
        study_name: of the study within `storage`.

    Raises:
        ConfigError: the learner has nothing to tune, no assay can be drawn, or the study is of
            another model, other assays or other draws.
        OutputError: the storage cannot be used.
    """
    before = {name: getattr(learner.config, name) for name in learner.search_space}
    if not before:
        raise ConfigError(f"A {type(learner).__name__} has no settings to tune after its training.")
    space = {name: _with(limits, before[name]) for name, limits in learner.search_space.items()}
    about = {
        "model": model_sha256,
        "assays": store.sha256,
        "support_sizes": list(config.support_sizes),
        "runs": config.runs,
        "seed": config.seed,
        "space": {name: str(limits) for name, limits in space.items()},
    }
    own = learner.config
    with open_study(storage, study_name, about) as study:
        try:
            _run_trials(study, learner, store, config, space, before)
        finally:
            learner.config = own
        first = _trial_with(study, before)
        if first is None:
            raise ConfigError(
                "The learner gives scores that are no numbers with the settings it has: it cannot "
                "be tuned. Train it again."
            )
        best = study.best_trial
        learner.config = replace(own, **best.params)
        return Tuned(before, best.params, first.value, best.value)


def measure(learner: Learner, store: AssayStore, config: TuningConfig) -> dict[str, float]:
    """Mean ΔAUPRC and its standard error over tasks, by support size, for a model's metrics."""
    results: list[DrawResult] = []
    for task in run_protocol(learner, store, config.support_sizes, range(config.runs)):
        results.extend(task)
    metrics = {}
    for size, summary in summarize(results).items():
        metrics[f"tuned_delta_auprc_{size}"] = summary.mean
        metrics[f"tuned_delta_auprc_{size}_se"] = summary.standard_error
    return metrics


def _run_trials(
    study: optuna.Study,
    learner: Learner,
    store: AssayStore,
    config: TuningConfig,
    space: Mapping[str, Range],
    before: dict[str, Any],
) -> None:
    # A trial that another process has begun may never end, so only a finished one is enough.
    if _trial_with(study, before) is None:
        study.enqueue_trial(before)
    own = learner.config
    progress = tqdm(total=config.trials, desc="tune", unit="trial", disable=None)
    with progress:
        while (done := len(study.get_trials(deepcopy=False, states=_FINISHED))) < config.trials:
            progress.update(done - progress.n)
            trial = study.ask()
            # Proposals follow from the number and the finished trials: stopping changes nothing.
            seed = mixed_seed(config.seed, trial.number) % 2**32
            study.sampler = optuna.samplers.TPESampler(seed=seed)
            try:
                learner.config = replace(own, **_propose(trial, space))
                score = _score(trial, learner, store, config)
            except BaseException:
                study.tell(trial, state=TrialState.FAIL)
                raise
            state = TrialState.PRUNED if score is None else TrialState.COMPLETE
            study.tell(trial, score, state=state)


def _score(
    trial: optuna.Trial, learner: Learner, store: AssayStore, config: TuningConfig
) -> float | None:
    """Mean over the tasks, in an order of the trial's own; None if it is given up."""
    rng = np.random.default_rng((config.seed, trial.number))
    order = [int(place) for place in rng.permutation(len(store))]
    shuffled = replace(store, tasks=tuple(store.tasks[place] for place in order))
    scores = []
    for place, score in zip(order, _task_scores(learner, shuffled, config), strict=True):
        if score is None:
            continue
        if math.isnan(score):  # steps that are too long give scores that are no numbers
            trial.set_user_attr("error", "gives scores that are no numbers")
            return None
        scores.append(score)
        trial.report(score, step=place)
        if trial.should_prune():
            return None
    if not scores:
        raise ConfigError(
            f"No assay has enough actives and inactives for a support of {config.support_sizes}: "
            "choose smaller support sizes or give larger assays."
        )
    return float(np.mean(scores))


def _task_scores(
    learner: Learner, store: AssayStore, config: TuningConfig
) -> Iterator[float | None]:
    """Mean ΔAUPRC over the draws of each task; None where it has no draw, NaN if one has none."""
    for results in run_protocol(learner, store, config.support_sizes, range(config.runs)):
        by_size = summarize(results).values()
        if any(summary.n_undefined for summary in by_size):
            yield math.nan
        else:
            yield float(np.mean([summary.mean for summary in by_size])) if by_size else None


def _propose(trial: optuna.Trial, space: Mapping[str, Range]) -> dict[str, Any]:
    proposal: dict[str, Any] = {}
    for name, limits in space.items():
        match limits:
            case Float(low, high, log):
                proposal[name] = trial.suggest_float(name, low, high, log=log)
            case Int(low, high):
                proposal[name] = trial.suggest_int(name, low, high)
            case Choice(options):
                proposal[name] = trial.suggest_categorical(name, options)
    return proposal


def _with(limits: Range, value: Any) -> Range:
    """`limits`, widened where they leave out the present `value`."""
    match limits:
        case Float(low, high, log):
            return Float(min(low, value), max(high, value), log)
        case Int(low, high):
            return Int(min(low, value), max(high, value))
        case Choice(options):
            return Choice(tuple(dict.fromkeys((*options, value))))


def _trial_with(study: optuna.Study, settings: dict[str, Any]) -> FrozenTrial | None:
    """A trial of exactly these settings over all tasks; None if there is none yet."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((trial for trial in complete if trial.params == settings), None)
