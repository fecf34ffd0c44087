"""A support judged by itself: what a model, and simpler methods, say of compounds held out of it.

Compounds are compared only with others that the same split held out. Scores of different splits
are of different models: pooled, they put actives too low, because whichever class is held out was
rarer in what the model saw (Airola et al. 2011, Comput Stat Data Anal 55, 1828).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molmeta.assays.task import LabeledMolecules
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError, SupportError
from molmeta.evaluation.auc_interval import (
    Estimate,
    PairWins,
    auc_estimate,
    difference_estimate,
)
from molmeta.evaluation.metrics import Array, delta_auprc
from molmeta.learners.base import HeadLearner, Learner
from molmeta.learners.baselines import (
    NearestNeighbours,
    NearestNeighboursConfig,
    RandomForest,
    RandomForestConfig,
    TanimotoGP,
    TanimotoGPConfig,
)
from molmeta.target import TargetModel

MODEL: Final = "this model"
NEIGHBOURS: Final = "nearest neighbours"
WITHOUT_MEMORY: Final = "without memory"

MAX_FOLDS: Final = 5
"""Parts that are held out in turn; fewer where a class is smaller, so that each holds out both."""

REPEATS: Final = 4
"""Times that the compounds are dealt out anew. With eight the ROC-AUC of 32 compounds errs by .098
(standard deviation), with four by .102: what is uncertain is how few compounds there are."""

TREES: Final = 50
"""Of each random forest: with 200, as elsewhere, the check of 64 compounds would take 6 s."""

CHOSEN: Final = 0.04
"""What a baseline's ROC-AUC gains by being the best of three on the same splits. With 32 compounds
the best one's was .044 and .055 lower on the rest of the assay (novel chemistry and FS-Mol
meta-valid), that of the model, which nobody chose, .001 (benchmarks/check.py). A model that trails
by less does not trail."""


class Verdict(StrEnum):
    """What to make of a model for a target, best first."""

    USE = "use it"
    NO_BETTER = "no better than similarity search"
    DO_NOT_USE = "do not use"


@dataclass(frozen=True, slots=True)
class MethodCheck:
    """How one method ranked the compounds that it was not shown."""

    method: str
    roc_auc: Estimate
    delta_auprc: float
    """Average precision over all held-out compounds minus that of a random order. It has no
    interval: a bootstrap of 16 compounds would hold the truth in four cases of five, not 19 of 20.
    """


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """The verdict on a model for a target, and what it rests on."""

    verdict: Verdict
    reason: str
    """One sentence."""
    methods: tuple[MethodCheck, ...]
    """The model first, then the baselines, and last the model without its compound memory, where
    that knows some of the support."""
    best_baseline: str
    difference: Estimate
    """ROC-AUC of the model minus that of the best baseline."""
    n_active: int
    n_inactive: int
    n_known: int
    """Support compounds that the compound memory knows."""
    n_seen: int
    """Support compounds that meta-training used, on some assay: whatever the memory, it may have
    learned their labels, so that they are ranked better than new compounds will be."""

    @property
    def model(self) -> MethodCheck:
        """The figures that the verdict is about."""
        return self.methods[0]


def check_target(target: TargetModel, *, seed: int = 0) -> SelfCheck:
    """Hold parts of the target's own support out, and see who ranks them best.

    Args:
        target: adapted to classes; neither it nor its learner is changed.
        seed: of the splits.

    Raises:
        ConfigError: the target predicts values.
        SupportError: a class has fewer than two compounds, so that none can be held out.
    """
    support = target.support
    if not isinstance(support, LabeledMolecules):
        raise ConfigError("A check judges classes: turn the values into them with a threshold.")
    labels = support.labels.cpu().numpy().astype(np.float64)
    folds = _folds(labels, np.random.default_rng(seed))
    learner = target.checkpoint.learner
    methods = {MODEL: learner, **baselines()}
    n_known = 0
    if learner.memory is not None:
        n_known = int(learner.memory.knows(support.molecules).sum())
    if n_known:
        methods[WITHOUT_MEMORY] = copy.copy(learner)
        methods[WITHOUT_MEMORY].memory = None
    scores = {name: _held_out(method, support, folds) for name, method in methods.items()}
    pairs = {name: PairWins.of(labels, of_method, folds) for name, of_method in scores.items()}
    checks = tuple(
        MethodCheck(name, auc_estimate(pairs[name]), _above_random(labels, scores[name].mean(0)))
        for name in methods
    )
    best = max(baselines(), key=lambda name: pairs[name].auc)
    difference = difference_estimate(pairs[MODEL], pairs[best])
    verdict = _verdict(checks[0].roc_auc, difference)
    return SelfCheck(
        verdict=verdict,
        reason=_reason(verdict, checks[0].roc_auc, best, pairs[best].auc, labels),
        methods=checks,
        best_baseline=best,
        difference=difference,
        n_active=target.n_active,
        n_inactive=len(support) - target.n_active,
        n_known=n_known,
        n_seen=target.n_support_seen,
    )


def baselines() -> dict[str, Learner]:
    """The methods that a model is compared with, by the name that a chemist knows."""
    encoder = EncoderConfig()
    return {
        NEIGHBOURS: NearestNeighbours(encoder, NearestNeighboursConfig()),
        "random forest": RandomForest(encoder, RandomForestConfig(trees=TREES)),
        "Tanimoto GP": TanimotoGP(encoder, TanimotoGPConfig()),
    }


def _folds(labels: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    """Which part each compound is held out with, both classes in each: [REPEATS, n]."""
    rows = [np.flatnonzero(labels == value) for value in (1, 0)]
    smaller = min(map(len, rows))
    if smaller < 2:
        name = "active" if len(rows[0]) == smaller else "inactive"
        raise SupportError(
            f"{smaller} of the {len(labels)} support compounds is {name}: a check holds compounds "
            "of both classes out and learns from the rest, so it needs at least two of each."
        )
    n_folds = min(MAX_FOLDS, smaller)
    folds = np.zeros((REPEATS, len(labels)), dtype=np.int64)
    for repeat in folds:
        for step, of_class in zip((1, -1), rows, strict=True):
            # From both ends, so that the parts are of about one size.
            repeat[generator.permutation(of_class)] = step * np.arange(len(of_class)) % n_folds
    return folds


@torch.no_grad()
def _held_out(learner: Learner, support: LabeledMolecules, folds: NDArray[np.int64]) -> Array:
    """Logits of each compound from a model that was not shown its part: [n_repeats, n]."""
    judge = _judge(learner, support)
    scores = np.zeros(folds.shape)
    for repeat, of_repeat in zip(folds, scores, strict=True):
        for fold in np.unique(repeat):
            held_out = torch.from_numpy(repeat == fold).to(support.labels.device)
            logits = judge((~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0])
            of_repeat[repeat == fold] = logits.double().cpu().numpy()
    return scores


def _judge(learner: Learner, support: LabeledMolecules) -> Callable[[Tensor, Tensor], Tensor]:
    """Rows to learn from and rows to judge -> logits of the latter."""
    molecules, labels = support.molecules, support.labels
    if isinstance(learner, HeadLearner):
        embedded = learner.embed(molecules).tabulated()
        return lambda known, asked: (
            learner.fit_head(embedded.gather(known), labels[known])(embedded.gather(asked)).logit
        )
    return lambda known, asked: (
        learner.adapt(LabeledMolecules(molecules.gather(known), labels[known]))(
            molecules.gather(asked)
        ).logit
    )


def _above_random(labels: Array, scores: Array) -> float:
    """Average precision minus what a random order of as many compounds has on average.

    That is above the share of actives, by .12 for 4 of 8: E = (H + (n - H)(m - 1)/(n - 1)) / n for
    m actives among n, with H the nth harmonic number.
    """
    n, m = len(labels), labels.sum()
    harmonic = float(np.sum(1 / np.arange(1, n + 1)))
    random = (harmonic + (n - harmonic) * (m - 1) / (n - 1)) / n
    return float(delta_auprc(labels, scores) + m / n - random)


def _verdict(model: Estimate, difference: Estimate) -> Verdict:
    if model.low <= 0.5:
        return Verdict.DO_NOT_USE
    return Verdict.USE if difference.value > -CHOSEN else Verdict.NO_BETTER


def _reason(
    verdict: Verdict, model: Estimate, baseline: str, baseline_auc: float, labels: Array
) -> str:
    found = (
        "Of two compounds that it was not shown, one active and one inactive, the model ranked "
        f"the active higher in {model.value:.0%} of cases"
    )
    if verdict is Verdict.DO_NOT_USE:
        return (
            f"{found}; from {int(labels.sum())} actives and {int((1 - labels).sum())} inactives "
            f"that means between {model.low:.0%} and {model.high:.0%}, so it may be no better than "
            "a coin (50%), or worse."
        )
    if verdict is Verdict.NO_BETTER:
        return (
            f"{found}, more than a coin (50%), but {baseline} did so in {baseline_auc:.0%}: on "
            "compounds like yours the simpler method serves you as well."
        )
    return (
        f"{found} (at least {model.low:.0%}, a coin has 50%), and the best of the simple methods, "
        f"{baseline}, in {baseline_auc:.0%}."
    )
