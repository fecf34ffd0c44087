"""What the held-out support shows, in figures and words, where it is large enough to show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from scipy.stats import binomtest

from molmeta.evaluation.auc_interval import (
    Estimate,
    PairWins,
    auc_estimate,
    difference_estimate,
)
from molmeta.evaluation.metrics import Array
from molmeta.evaluation.web_page import signed
from molmeta.report import figures
from molmeta.report.held_out import SMALLEST, HeldOut
from molmeta.report.verdict import value_figures

Section = dict[str, Any]
"""By the names that the template uses."""

BIN: Final = 10
"""Compounds in a group of the calibration, at least: with fewer the interval of its share spans
most of what is possible."""

MOST_BINS: Final = 5
FEWEST_BINS: Final = 3

_CURVE: Final = "Do more compounds help?"


def held_out_figures(found: HeldOut | None, quantity: str) -> list[Section]:
    """The figures of a held-out support, each with what to make of it; none of none."""
    if found is None:
        return []
    if found.predicts_values:
        return [_values(found, quantity), _values_curve(found, quantity)]
    return [_probabilities(found), _calibration(found), _curve(found)]


def _probabilities(found: HeldOut) -> Section:
    said = _said(found)
    return {
        "title": "What it said of compounds that it was not shown",
        "svg": Markup(figures.probabilities(found.labels, said)),
        "words": (
            f"Each of your {len(said)} compounds once, by a model of {found.largest} others: "
            "the further apart the two rows, the better; lines are medians."
        ),
    }


def _calibration(found: HeldOut) -> Section:
    title = "Do the probabilities mean what they say?"
    said, n = _said(found), len(found.labels)
    n_bins = min(MOST_BINS, n // BIN)
    if n_bins < FEWEST_BINS:
        words = (
            f"This cannot be told from {n} compounds: it takes {FEWEST_BINS} groups of {BIN}, so "
            f"{FEWEST_BINS * BIN}. The model card says how well they hold on public assays."
        )
        return {"title": title, "svg": None, "words": words}
    bins = []
    for places in np.array_split(np.argsort(said, kind="stable"), n_bins):
        n_active = int(found.labels[places].sum())
        share = binomtest(n_active, len(places)).proportion_ci(method="wilson")
        active = Estimate(n_active / len(places), float(share.low), float(share.high))
        bins.append(figures.Bin(len(places), float(said[places].mean()), active))
    off = [one for one in bins if not one.active.low <= one.mean <= one.active.high]
    told = (
        f"The intervals of {len(off)} of them miss the dashed line, where one in twenty would by "
        "chance."
        if off
        else "The intervals of all hold the dashed line."
    )
    words = (
        f"The same compounds in {n_bins} groups of {min(one.n for one in bins)} or more. {told} "
        "They are 95% intervals, and wide: so few compounds show gross errors only."
    )
    return {"title": title, "svg": Markup(figures.calibration(bins)), "words": words}


def _curve(found: HeldOut) -> Section:
    pairs = {
        size: PairWins.of(found.labels, found.merits(size), found.parts) for size in found.answers
    }
    sizes = list(pairs)
    if len(sizes) < 2:
        return _no_curve(len(found.labels))
    gain = difference_estimate(pairs[sizes[-1]], pairs[sizes[0]])
    aucs = [auc_estimate(of_size) for of_size in pairs.values()]
    words = f"{_gain_in_words(gain, sizes)} ROC-AUC of the same held-out compounds at every size."
    svg = figures.learning_curve(sizes, aucs, "ROC-AUC", [0.5] * len(sizes))
    return {"title": _CURVE, "svg": Markup(svg), "words": words}


def _values(found: HeldOut, what: str) -> Section:
    rows = found.answers[found.largest][0]
    said, low, high = (
        np.array([getattr(row, name) for row in rows], dtype=float)
        for name in ("value", "low", "high")
    )
    measured = value_figures(found, found.largest)
    told = (
        f" Ranks correlate by {measured.correlation.value:.2f} ({measured.correlation.low:.2f} to "
        f"{measured.correlation.high:.2f}); {measured.inside.value:.0%} of {measured.n} measured "
        f"values lie in their interval ({measured.inside.low:.0%} to {measured.inside.high:.0%}; "
        "90% is meant)."
        if measured
        else ""
    )
    svg = figures.values(found.labels, found.relations, said, low, high, what)
    return {
        "title": "What it said of compounds that it was not shown",
        "svg": Markup(svg),
        "words": f"Each of your {len(rows)} compounds once, judged by a model of {found.largest} "
        f"others, with its interval; open triangles are bounds.{told}",
    }


def _values_curve(found: HeldOut, what: str) -> Section:
    sizes = list(found.answers)
    of_sizes = [value_figures(found, size) for size in sizes]
    known = [one for one in of_sizes if one is not None]
    if len(sizes) < 2 or len(known) < len(sizes):
        return _no_curve(len(found.labels))
    svg = figures.learning_curve(
        sizes,
        [one.error for one in known],
        f"mean error ({what})",
        [one.guess.value for one in known],
    )
    words = (
        "Mean absolute error of the same held-out compounds at every size, lower is better; bars "
        "are 95% intervals, the dashed line is what the mean of the compounds learned from gets."
    )
    return {"title": _CURVE, "svg": Markup(svg), "words": words}


def _no_curve(n: int) -> Section:
    words = (
        f"This cannot be told from {n} compounds: it takes two sizes to learn from, of {SMALLEST} "
        "compounds or more with two of each class, and others to be judged."
    )
    return {"title": _CURVE, "svg": None, "words": words}


def _gain_in_words(gain: Estimate, sizes: Sequence[int]) -> str:
    told = (
        f"{signed(gain.value, 2)} from {sizes[0]} to {sizes[-1]} compounds "
        f"({signed(gain.low, 2)} to {signed(gain.high, 2)})"
    )
    if gain.low > 0:
        return f"Yes: {told}."
    if gain.high < 0:
        return f"It got worse: {told}."
    return f"It cannot be told yet: {told}, an interval that holds 0."


def _said(found: HeldOut) -> Array:
    """Probabilities by models of all others, in the first deal: [n]."""
    rows = found.answers[found.largest][0]
    return np.array([row.probability for row in rows], dtype=float)
