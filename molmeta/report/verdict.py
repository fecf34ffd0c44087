"""What a report says of its own worth, in words: the verdict of a check, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from molmeta.errors import SupportError
from molmeta.evaluation.auc_interval import Estimate
from molmeta.evaluation.check import SelfCheck, check_target
from molmeta.evaluation.metrics import Array
from molmeta.evaluation.value_metrics import spearman
from molmeta.evaluation.web_page import signed
from molmeta.learners.values import COVERAGE
from molmeta.report.held_out import MOST, HeldOut
from molmeta.target import TargetModel

NO_VERDICT = "no verdict"


@dataclass(frozen=True, slots=True)
class Believed:
    """Whether to believe the predictions."""

    verdict: str
    """A `Verdict` of a check; of values, how they compare with a guess; or NO_VERDICT."""
    reason: str
    check: SelfCheck | None = None
    """What a verdict rests on."""


@dataclass(frozen=True, slots=True)
class HeldOutValues:
    """How held-out measured values compare with what was predicted of them."""

    error: Estimate
    """Mean absolute error."""
    guess: Estimate
    """That of the mean of the compounds learned from."""
    gain: Estimate
    """Guess minus error, compound by compound."""
    correlation: Estimate
    """Of the ranks."""
    inside: Estimate
    """Share of the values inside their intervals, of which COVERAGE is meant."""
    n: int
    """Compounds with a measured value; bounds are left out."""


def believed(target: TargetModel, held_out: HeldOut | None, *, seed: int) -> Believed:
    """The verdict on a target's model, or why there is none.

    Args:
        target: adapted to classes or values.
        held_out: its support, where that could be held out.
        seed: of the splits of the check.
    """
    if target.predicts_values:
        return _of_values(held_out)
    if not target.has_both_classes:
        return Believed(
            NO_VERDICT,
            "Your compounds are actives alone. The model cannot be tried on anything that is known "
            "to be inactive, so compounds are ranked by their similarity to the nearest active, "
            "and no probability is given.",
        )
    if len(target.support) > MOST:
        return Believed(
            NO_VERDICT,
            f"With {len(target.support):,} measured compounds, put some aside that the model is "
            "not shown, and compare what it says of them with what was measured.",
        )
    try:
        check = check_target(target, seed=seed)
    except SupportError as error:
        return Believed(NO_VERDICT, str(error))
    return Believed(check.verdict, check.reason, check)


def value_figures(held_out: HeldOut, size: int) -> HeldOutValues | None:
    """The figures of the models of `size` compounds; None where hardly anything was measured."""
    from scipy.stats import binomtest, t

    measured = held_out.relations == 0
    n = int(measured.sum())
    truth = held_out.labels[measured]
    if n < 4 or len(np.unique(truth)) < 2:
        return None
    said = held_out.merits(size)[:, measured]
    reach = float(t.ppf(0.975, n - 1)) / np.sqrt(n)

    def mean(of_compounds: Array) -> Estimate:
        middle, half = float(of_compounds.mean()), reach * float(of_compounds.std(ddof=1))
        return Estimate(middle, middle - half, middle + half)

    errors = abs(said - truth).mean(0)
    guesses = abs(held_out.guesses[size][:, measured] - truth).mean(0)
    rows = [row for row, kept in zip(held_out.answers[size][0], measured, strict=True) if kept]
    n_inside = sum(
        row.low is not None and row.high is not None and row.low <= value <= row.high
        for row, value in zip(rows, truth, strict=True)
    )
    share = binomtest(n_inside, n).proportion_ci(method="wilson")
    return HeldOutValues(
        error=mean(errors),
        guess=mean(guesses),
        gain=mean(guesses - errors),
        correlation=_correlation(truth, said.mean(0)),
        inside=Estimate(n_inside / n, float(share.low), float(share.high)),
        n=n,
    )


def _of_values(held_out: HeldOut | None) -> Believed:
    told = (
        "The verdict of molmeta check is about classes: give --threshold and --active to have your "
        "values judged as such."
    )
    figures = None if held_out is None else value_figures(held_out, held_out.largest)
    if figures is None:
        return Believed(NO_VERDICT, told)
    gain = figures.gain
    return Believed(
        "better than guessing"
        if gain.low > 0
        else "perhaps better than guessing"
        if gain.value > 0
        else "no better than guessing",
        f"Of {figures.n} measured values that it was not shown, the model missed by "
        f"{figures.error.value:.2f} on average, and the mean of your other compounds, a guess, by "
        f"{figures.guess.value:.2f} (gain {signed(gain.value, 2)}, 95% interval "
        f"{signed(gain.low, 2)} to {signed(gain.high, 2)}). {figures.inside.value:.0%} of them lay "
        f"inside their {COVERAGE:.0%} interval. {told}",
    )


def _correlation(truth: Array, said: Array) -> Estimate:
    """Spearman's, with the interval of Bonett & Wright 2000 (Psychometrika 65, 23)."""
    value = spearman(truth, said)
    reach = 1.96 * np.sqrt((1 + value**2 / 2) / (len(truth) - 3))
    middle = np.arctanh(np.clip(value, -0.999999, 0.999999))
    return Estimate(value, float(np.tanh(middle - reach)), float(np.tanh(middle + reach)))
