"""Drawings as SVG elements of a web page: text stays text, colours differ to every eye."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito 2008, without the yellow that vanishes on white.
COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
LINES: Final = ("-", "--", ":", "-.")

INK: Final = "#222222"
GREY: Final = "#767676"
"""The lightest grey that reads as text on white (contrast 4.5)."""

_SETTINGS: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
}


@dataclass(frozen=True, slots=True)
class Style:
    """How a method looks in every figure."""

    color: str
    marker: str
    line: str


def style_of(index: int) -> Style:
    """The style of the method at this place; after seven the colours come back, dashed."""
    turn, place = divmod(index, len(COLORS))
    return Style(COLORS[place], MARKERS[(place + turn) % len(MARKERS)], LINES[turn % len(LINES)])


def swatch(style: Style, line: bool = True) -> str:
    """The key of one method or stratum as a small SVG."""
    from matplotlib.lines import Line2D
    from matplotlib.markers import MarkerStyle
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D, IdentityTransform

    width, height = (0.42 if line else 0.2), 0.2
    with new_figure(width, height) as figure:
        if line:
            figure.add_artist(
                Line2D([0.03, 0.97], [0.5, 0.5], color=style.color, ls=style.line, lw=1.8)
            )
        marker = MarkerStyle(style.marker)
        # A patch, not a marker: a marker has an identifier, and a page has many swatches alike.
        place = Affine2D().scale(7).translate(36 * width, 36 * height)
        path = marker.get_path().transformed(marker.get_transform() + place)
        figure.add_artist(PathPatch(path, color=style.color, lw=0, transform=IdentityTransform()))
        return svg_of(figure, "")


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of this many inches; what draws on it takes the page's fonts and colours."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        # Whatever matplotlibrc there is: the same results give the same page everywhere.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        # Of a name in another script: the browser has the font that is missing here.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield Figure(figsize=(width, height))


def svg_of(figure: Figure, alt: str) -> str:
    """The figure as an `<svg>` element; hidden from a screen reader where `alt` is empty."""
    import matplotlib

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # Without a salt the identifiers differ from run to run.
    matplotlib.rcParams["svg.hashsalt"] = alt
    figure.savefig(buffer, format="svg", dpi=150, metadata=nothing, transparent=True)
    text = buffer.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    # The same in every figure, so no identifiers on one page; nothing refers to them.
    body = re.sub(r'<g id="[\w.]+_\d+"', "<g", body)
    body = body.replace("xlink:href=", "href=").strip()
    width, height = 72 * figure.get_size_inches()
    words = f'role="img" aria-label="{escape(alt)}"' if alt else 'aria-hidden="true"'
    return f'<svg {words} viewBox="0 0 {width:g} {height:g}" width="{width:g}pt">{body}'
