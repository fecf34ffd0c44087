"""Figures of a benchmark as SVG for a web page: text stays text, colours differ to every eye.

Names that a user chose stay out of the figures where they can: the page shows them beside a swatch
of the method's style, where they wrap and need no escaping but the page's own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from molmeta.evaluation.svg import COLORS, GREY, INK, Style, new_figure, style_of, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_POINTS_DRAWN_SINGLY: Final = 500
"""More points than this go into the figure as one picture: a file of megabytes shows no more."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One method against support size."""

    name: str
    sizes: Sequence[int]
    means: Sequence[float]
    """NaN where undefined, as the standard errors."""
    standard_errors: Sequence[float]


@dataclass(frozen=True, slots=True)
class Reliability:
    """What became of the predictions of each bin of probability, at one support size."""

    support_size: int
    counts: Array
    """[n_bins], predictions."""
    mean_probability: Array
    """[n_bins]; NaN in an empty bin."""
    share_active: Array
    """[n_bins]; NaN in an empty bin."""


def curves(own: Sequence[Curve], published: Sequence[Curve], quantity: str, alt: str) -> str:
    """Mean ± standard error over tasks against support size; published methods in grey."""
    with new_figure(7.4, 4.6) as figure:
        axes = figure.add_axes((0.1, 0.12, 0.66 if published else 0.86, 0.85))
        axes.set_xscale("log", base=2)
        for curve in published:
            axes.plot(curve.sizes, curve.means, color="#b0b0b0", lw=1, zorder=1)
        for i, curve in enumerate(own):
            style = style_of(i)
            # Beside each other, so that the bars of methods alike can be told apart.
            shift = 2 ** (0.05 * (i - (len(own) - 1) / 2) / max(1, len(own) / 4))
            axes.errorbar(
                np.asarray(curve.sizes) * shift,
                np.asarray(curve.means, dtype=float),
                np.asarray(curve.standard_errors, dtype=float),
                color=style.color,
                marker=style.marker,
                linestyle=style.line,
                lw=1.8,
                ms=6,
                elinewidth=1.2,
                capsize=2.5,
            )
        sizes = sorted({size for curve in (*own, *published) for size in curve.sizes})
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlim(min(sizes) / 1.2, max(sizes) * 1.2)
        _include_zero(axes)
        axes.set_xlabel("support size (measured compounds)")
        axes.set_ylabel(quantity)
        _label_at_the_right(axes, published)
        return svg_of(figure, alt)


def reliability(parts: Sequence[Reliability], style: Style, alt: str) -> str:
    """Share of actives against predicted probability, and below it how many predictions."""
    from matplotlib.ticker import EngFormatter

    with new_figure(3.5, 4.3) as figure:
        axes = figure.add_axes((0.18, 0.37, 0.756, 0.756 * 3.5 / 4.3))  # a square
        below = figure.add_axes((0.18, 0.12, 0.756, 0.19), sharex=axes)
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        for i, part in enumerate(parts):
            face = style.color if i == len(parts) - 1 else "white"
            filled = part.counts > 0
            axes.plot(
                part.mean_probability[filled],
                part.share_active[filled],
                marker=style.marker,
                color=style.color,
                markerfacecolor=face,
                lw=1.5,
                ls="-" if face == style.color else ":",
                label=f"support of {part.support_size}",
            )
            width = 1 / len(part.counts)
            left = np.arange(len(part.counts)) * width + width * (0.1 + 0.8 * i / len(parts))
            below.bar(
                left,
                part.counts,
                0.8 * width / len(parts),
                align="edge",
                facecolor=face,
                edgecolor=style.color,
                lw=0.8,
            )
        axes.legend(loc="upper left", frameon=False, fontsize=9, handlelength=2.4)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.tick_params(labelbottom=False)
        axes.set_ylabel("share of actives")
        below.locator_params(axis="y", nbins=3)
        below.yaxis.set_major_formatter(EngFormatter(sep=""))
        below.set_ylabel("predictions")
        below.set_xlabel("predicted probability of active")
        return svg_of(figure, alt)


def scatter(
    baseline: Array, method: Array, styles: Sequence[Style], quantity: str, alt: str
) -> str:
    """Each task once: the method against the baseline, with the diagonal of equality.

    Args:
        baseline: [n_tasks], mean over draws.
        method: [n_tasks], the same of the method.
        styles: [n_tasks], of each task's point.
        quantity: what is measured.
        alt: the figure in words.
    """
    with new_figure(3.5, 3.4) as figure:
        axes = figure.add_axes((0.2, 0.15, 0.756, 0.756 * 3.5 / 3.4))
        both = np.concatenate([baseline, method, [0.0]])
        margin = 0.05 * (float(np.ptp(both)) or 1.0)
        limits = (float(both.min()) - margin, float(both.max()) + margin)
        axes.plot(limits, limits, color=GREY, lw=1, ls="--")
        for style in dict.fromkeys(styles):
            here = [one == style for one in styles]
            axes.plot(
                baseline[here],
                method[here],
                style.marker,
                color=style.color,
                ms=min(5, max(1.5, 5 * (200 / len(styles)) ** 0.5)),
                markeredgewidth=0,
                alpha=0.75,
                rasterized=len(styles) > _POINTS_DRAWN_SINGLY,
            )
        axes.set_xlim(limits)
        axes.set_ylim(limits)
        axes.locator_params(nbins=5)
        axes.set_xlabel(f"{quantity} of the baseline")
        axes.set_ylabel(f"{quantity} of this method")
        return svg_of(figure, alt)


def bars(
    strata: Sequence[str],
    counts: Sequence[int],
    means: Mapping[str, Sequence[float]],
    errors: Mapping[str, Sequence[float]],
    quantity: str,
    alt: str,
) -> str:
    """A group of bars for each stratum, in it a bar for each method, with its standard error.

    Args:
        strata: the name under each group.
        counts: [n_strata], tasks; under the name.
        means: of each method, by stratum; NaN leaves a gap.
        errors: the same, standard errors.
        quantity: what is measured.
        alt: the figure in words.
    """
    n = len(means)
    labels = [textwrap.wrap(name, 17) for name in strata]
    labels = [[*lines, f"({count:,})"] for lines, count in zip(labels, counts, strict=True)]
    width = max(4.6, 0.9 + len(strata) * max(1.4, 0.35 + 0.2 * n))
    below = 0.2 + 0.18 * max(map(len, labels))
    with new_figure(width, 2.8 + below) as figure:
        whole = 2.8 + below
        axes = figure.add_axes((0.75 / width, below / whole, 1 - 0.8 / width, 2.7 / whole))
        for i, name in enumerate(means):
            axes.bar(
                np.arange(len(strata)) + 0.8 * ((i + 0.5) / n - 0.5),
                np.asarray(means[name], dtype=float),
                0.8 / n * 0.92,
                yerr=np.asarray(errors[name], dtype=float),
                color=style_of(i).color,
                ecolor=INK,
                error_kw={"elinewidth": 1, "capsize": 2},
                hatch="///" if i >= len(COLORS) else None,
                edgecolor="white",
                lw=0,
            )
        axes.axhline(0, color=INK, lw=0.8)
        axes.set_xticks(range(len(strata)), ["\n".join(lines) for lines in labels])
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(quantity)
        return svg_of(figure, alt)


def _include_zero(axes: Axes) -> None:
    # Zero is what a guess gets: the height above it is what a method is worth.
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0), max(high, 0))
    axes.axhline(0, color=GREY, lw=0.8)


def _label_at_the_right(axes: Axes, curves: Sequence[Curve]) -> None:
    """The name of each curve beside the axes, moved apart where they would overlap."""
    from scipy.optimize import isotonic_regression

    low, high = axes.get_ylim()
    ends = []
    for curve in curves:
        defined = [i for i, mean in enumerate(curve.means) if np.isfinite(mean)]
        if defined:
            last = defined[-1]
            ends.append((curve.means[last], curve.sizes[last], curve.name))
    if not ends:
        return
    ends.sort()
    gap = 0.036 * (high - low)
    steps = gap * np.arange(len(ends))
    # The least that they must move (least squares) for each to keep its gap to the one below.
    moved = isotonic_regression([mean for mean, _, _ in ends] - steps).x
    heights = np.clip(moved, low, max(low, high - gap * (len(ends) - 1))) + steps
    across = axes.get_yaxis_transform()
    for (mean, size, name), height in zip(ends, heights, strict=True):
        axes.annotate(
            name if len(name) <= 28 else f"{name[:27]}…",
            xy=(size, mean),
            xytext=(1.03, height),
            textcoords=across,
            fontsize=8,
            color="#555555",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#cccccc", "lw": 0.6, "shrinkA": 1},
        )
