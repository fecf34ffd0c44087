"""How each cost grows: an exponent by a line through the logarithms, and a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import speed_adaptation, speed_library, speed_screening, speed_training
from molmeta.evaluation.svg import new_figure, style_of, svg_of

_SUPPORTS: Final = (16, 32, 64, 128, 256, 512)
_TASKS: Final = (1, 2, 4, 8, 16)
_WIDTH, _HEIGHT = 4.2, 3.2


@dataclass(frozen=True, slots=True)
class Growth:
    """A cost by what it grows with."""

    name: str
    of: str
    """What it grows with, and in what unit."""
    points: Mapping[int, float]
    """Size -> seconds."""

    @property
    def exponent(self) -> float:
        """K of cost ∝ size^k, by least squares over the logarithms of the upper half.

        The smallest sizes pay what any size pays.
        """
        sizes = sorted(self.points)
        upper = sizes[len(sizes) // 2 - 1 :] if len(sizes) > 3 else sizes
        x, y = np.log(upper), np.log([self.points[size] for size in upper])
        return float(np.polyfit(x, y, 1)[0])

    def line(self) -> str:
        """The exponent, and seconds at each size."""
        figures = ", ".join(f"{size:,}: {seconds:.3g}" for size, seconds in self.points.items())
        return f"{self.name}, by {self.of}: exponent {self.exponent:.2f} ({figures} s)"


def measure(largest: int, repeats: int, folder: Path, library: Path | None) -> list[Growth]:
    """Cost by support size, library size, tasks and processes.

    Args:
        largest: rows of the largest library; the others are smaller by powers of ten.
        repeats: of what takes less than seconds.
        folder: for files in between.
        library: molecules of one's own.
    """
    texts = speed_library.smiles(_TASKS[-1] * 48 + 100, library)
    adapting = speed_adaptation.by_support_size(_SUPPORTS, texts, repeats)
    sizes = [10**k for k in range(3, round(math.log10(largest)) + 1)]
    screened = speed_screening.by_size(sizes, folder, library)
    shared = speed_screening.by_processes([1, 2], min(largest, 20_000), 3, folder, library)
    return [
        *(Growth(f"adapting, {name}", "support size", points) for name, points in adapting.items()),
        Growth("MAML, a step", "tasks", speed_training.by_tasks(_TASKS, texts, repeats)),
        Growth("predict beyond its start", "library size", screened),
        Growth("predict, wall", "processes", shared),
    ]


def figure(growths: Sequence[Growth]) -> str:
    """A panel for each thing that costs grow with, both axes logarithmic: an SVG element."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    kinds = list(dict.fromkeys(growth.of for growth in growths))
    alt = "; ".join(f"{g.name} by {g.of}: exponent {g.exponent:.2f}" for g in growths)
    with new_figure(_WIDTH * len(kinds), _HEIGHT) as drawing:
        panels = drawing.subplots(1, len(kinds), squeeze=False)[0]
        for kind, axes in zip(kinds, panels, strict=True):
            of_kind = [growth for growth in growths if growth.of == kind]
            for index, growth in enumerate(of_kind):
                style = style_of(index)
                axes.plot(
                    list(growth.points),
                    list(growth.points.values()),
                    color=style.color,
                    marker=style.marker,
                    ls=style.line,
                    label=f"{growth.name}: {growth.exponent:.2f}",
                )
            sizes = sorted({size for growth in of_kind for size in growth.points})
            axes.set_xscale("log")
            axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            # Not the formatter of logarithmic axes: it writes TeX.
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(kind)
            axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
        panels[0].set_ylabel("seconds")
        drawing.tight_layout()
        return svg_of(drawing, alt)
