"""Figures of a report as SVG for its page, each with what it shows in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from molmeta.evaluation.auc_interval import Estimate
from molmeta.evaluation.check import SelfCheck
from molmeta.evaluation.metrics import Array
from molmeta.evaluation.svg import COLORS, GREY, INK, new_figure, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACTIVE, _INACTIVE = COLORS[0], COLORS[1]
_TO_READ = (3.6, 3.2)
"""Inches, of a figure that stands beside others."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Compounds of about the same probability."""

    n: int
    mean: float
    """Of their probabilities."""
    active: Estimate
    """Share of them that is active."""


def methods(check: SelfCheck) -> str:
    """The ROC-AUC of each method of a check, with its interval."""
    names = [one.method for one in check.methods]
    aucs = [one.roc_auc for one in check.methods]
    said = "; ".join(
        f"{name} {auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})"
        for name, auc in zip(names, aucs, strict=True)
    )
    height = 0.75 + 0.34 * len(names)
    # Narrow enough to be read on a phone, where it shrinks to the width of the screen.
    with new_figure(4.9, height) as figure:
        axes = figure.add_axes((0.3, 0.55 / height, 0.67, (height - 0.65) / height))
        for place, auc in enumerate(aucs):
            color = COLORS[0] if place == 0 else INK
            axes.plot([auc.low, auc.high], [place, place], color=color, lw=2, alpha=0.7)
            axes.plot(auc.value, place, "o", color=color, ms=7)
        axes.axvline(0.5, color=GREY, lw=1, ls="--")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(min(0.4, *(auc.low - 0.03 for auc in aucs)), 1.02)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("ROC-AUC of held-out compounds (0.5 is a coin)")
        return svg_of(figure, f"ROC-AUC with 95% intervals. {said}.")


def probabilities(labels: Array, said: Array) -> str:
    """The probability of each held-out compound, actives above and inactives below.

    Args:
        labels: [n]; 1 is active.
        said: [n], probabilities.
    """
    words = []
    with new_figure(*_TO_READ) as figure:
        axes = figure.add_axes((0.2, 0.16, 0.76, 0.8))
        for value, name, color, marker in (
            (1, "active", _ACTIVE, "o"),
            (0, "inactive", _INACTIVE, "s"),
        ):
            of_class = np.sort(said[labels == value])
            axes.plot(
                of_class,
                value + _spread(len(of_class)),
                marker,
                color=color,
                ms=6,
                alpha=0.7,
                markeredgewidth=0,
            )
            middle = float(np.median(of_class))
            axes.plot([middle, middle], [value - 0.34, value + 0.34], color=INK, lw=1.5)
            words.append(f"{len(of_class)} {name}, median {middle:.2f}")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.5, 1.5)
        axes.set_yticks([0, 1], ["inactive", "active"])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("probability of active")
        alt = f"Probabilities of held-out compounds: {'; '.join(words)}."
        return svg_of(figure, alt)


def calibration(bins: Sequence[Bin]) -> str:
    """Share of actives against probability, with the interval of each share."""
    said = "; ".join(
        f"{one.n} of mean probability {one.mean:.2f}: {one.active.value:.2f} active "
        f"({one.active.low:.2f} to {one.active.high:.2f})"
        for one in bins
    )
    with new_figure(*_TO_READ) as figure:
        axes = figure.add_axes((0.2, 0.16, 0.76, 0.8))
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        _bars(axes, [one.mean for one in bins], [one.active for one in bins])
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("mean probability of active")
        axes.set_ylabel("share of actives")
        return svg_of(figure, f"Calibration of held-out compounds: {said}.")


def learning_curve(
    sizes: Sequence[int],
    figures: Sequence[Estimate],
    quantity: str,
    guess: Sequence[float] | float,
) -> str:
    """A figure with its interval by the number of compounds learned from.

    Args:
        sizes: compounds learned from, ascending.
        figures: [n_sizes].
        quantity: what they are.
        guess: what one gets without a model, at each size or the same at all.
    """
    said = "; ".join(
        f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f}) from {size}"
        for size, one in zip(sizes, figures, strict=True)
    )
    with new_figure(*_TO_READ) as figure:
        axes = figure.add_axes((0.2, 0.16, 0.76, 0.8))
        axes.set_xscale("log", base=2)
        axes.plot(sizes, np.broadcast_to(guess, len(sizes)), color=GREY, lw=1, ls="--")
        _bars(axes, sizes, figures)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
        axes.set_xlabel("compounds learned from")
        axes.set_ylabel(quantity)
        return svg_of(figure, f"Learning curve, {quantity}: {said}.")


def values(
    truth: Array, relations: NDArray[np.int8], said: Array, low: Array, high: Array, quantity: str
) -> str:
    """What was predicted of held-out compounds against what was measured, with intervals.

    Args:
        truth: [n], measured.
        relations: [n]; 0 measured, 1 the truth is higher, -1 it is lower.
        said: [n], predicted.
        low: [n], lower ends of the predicted intervals.
        high: [n], their upper ends.
        quantity: what the values are.
    """
    with new_figure(4.2, 3.9) as figure:
        axes = figure.add_axes((0.16, 0.14, 0.8, 0.83))
        ends = (float(min(truth.min(), said.min())), float(max(truth.max(), said.max())))
        margin = 0.08 * (ends[1] - ends[0] or 1.0)
        limits = (ends[0] - margin, ends[1] + margin)
        axes.plot(limits, limits, color=GREY, lw=1, ls="--")
        axes.vlines(truth, low, high, color=COLORS[0], alpha=0.25, lw=1.2)
        for relation, marker in ((0, "o"), (1, ">"), (-1, "<")):
            here = relations == relation
            axes.plot(
                truth[here],
                said[here],
                marker,
                color=COLORS[0],
                markerfacecolor=COLORS[0] if relation == 0 else "white",
                ms=6,
            )
        axes.set_xlim(limits)
        axes.set_ylim(min(limits[0], float(low.min())), max(limits[1], float(high.max())))
        axes.set_xlabel(f"measured {quantity}")
        axes.set_ylabel(f"predicted {quantity}")
        n_bounds = int((relations != 0).sum())
        alt = (
            f"Predicted against measured {quantity} of {len(truth)} held-out compounds, "
            f"{n_bounds} of them bounds."
        )
        return svg_of(figure, alt)


def _bars(axes: Axes, places: Sequence[float], figures: Sequence[Estimate]) -> None:
    middles = np.array([one.value for one in figures])
    below = middles - np.array([one.low for one in figures])
    above = np.array([one.high for one in figures]) - middles
    axes.errorbar(
        places,
        middles,
        np.clip(np.stack([below, above]), 0, None),
        color=COLORS[0],
        marker="o",
        lw=1.5,
        ms=6,
        elinewidth=1.4,
        capsize=3,
    )


def _spread(n: int) -> Array:
    """Heights that keep n points in a row apart, the same each time: [n]."""
    return np.array([0.0, 0.13, -0.13, 0.26, -0.26])[np.arange(n) % 5]
