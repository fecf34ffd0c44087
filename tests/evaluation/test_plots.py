"""The figures: every mark stands where its number says, and labels can be read."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from molmeta.evaluation.plots import Curve, Reliability, bars, curves, reliability, scatter
from molmeta.evaluation.svg import style_of

SVG = "{http://www.w3.org/2000/svg}"


def _texts(svg: str) -> dict[str, tuple[float, float]]:
    """Where each text stands, from the top left."""
    root = ElementTree.fromstring(svg)
    return {
        "".join(node.itertext()): (float(node.get("x", "nan")), float(node.get("y", "nan")))
        for node in root.iter("text")
    }


def _marks(svg: str, color: str) -> list[tuple[float, float]]:
    """Where the markers of this colour stand."""
    root = ElementTree.fromstring(svg)
    return [
        (float(node.get("x", "nan")), float(node.get("y", "nan")))
        for node in root.iter("use")
        if color.lower() in node.get("style", "")
    ]


def test_published_names_stand_beside_their_curves_without_overlap() -> None:
    published = [Curve(f"method {i}", [16, 256], [0.1, 0.2 + i / 1000], [0, 0]) for i in range(20)]
    svg = curves([Curve("ours", [16, 256], [0.1, 0.3], [0.01, 0.01])], published, "y", "alt")
    heights = [_texts(svg)[f"method {i}"][1] for i in range(20)]
    # 8 points high each; the better stands above the worse.
    assert all(below - above >= 8 for below, above in pairwise(heights))
    assert 0 < min(heights) < max(heights) < 331


def test_a_name_of_any_characters_is_drawn_as_it_is() -> None:
    name = "a$_{$<b>&\\frac"
    svg = curves([], [Curve(name, [16], [0.1], [math.nan])], "y", "alt")
    assert name in _texts(svg)


def test_support_sizes_stand_on_a_logarithmic_axis() -> None:
    svg = curves([Curve("ours", [16, 64, 128], [0.1, 0.2, 0.3], [0.01] * 3)], [], "y", "alt")
    at = {size: _texts(svg)[str(size)][0] for size in (16, 64, 128)}
    assert (at[64] - at[16]) / (at[128] - at[64]) == pytest.approx(2, rel=1e-4)


def test_a_point_above_the_diagonal_is_a_task_on_which_the_method_is_better() -> None:
    style = style_of(1)
    svg = scatter(np.array([0.1, 0.3]), np.array([0.4, 0.3]), [style] * 2, "y", "alt")
    (x1, y1), (x2, y2) = _marks(svg, style.color)
    diagonal = re.search(r'd="M ([\d.]+) ([\d.]+) \nL ([\d.]+) ([\d.]+)[^/]*stroke-dasharray', svg)
    assert diagonal is not None
    left, bottom, right, top = map(float, diagonal.groups())

    def line(x: float) -> float:
        return bottom + (top - bottom) * (x - left) / (right - left)

    assert y1 < line(x1) - 10  # a smaller y is higher on the page
    assert y2 == pytest.approx(line(x2), abs=0.01)


def test_many_points_become_one_picture() -> None:
    values = np.linspace(0, 1, 2000)
    svg = scatter(values, values, [style_of(0)] * 2000, "y", "alt")
    assert "data:image/png" in svg
    assert len(svg) < 100_000


def test_a_bin_without_predictions_has_no_point() -> None:
    filled = np.array([True, False, True, True])
    share = np.where(filled, 0.5, np.nan)
    style = style_of(2)
    svg = reliability([Reliability(16, filled * 5.0, share, share)], style, "alt")
    in_legend = 1
    assert len(_marks(svg, style.color)) == 3 + in_legend


def test_a_stratum_shows_its_size_and_a_long_name_is_wrapped() -> None:
    name = "assays of kinases that hardly occur in meta-train"
    svg = bars(
        [name, "new"], [1234, 2], {"ours": [0.1, math.nan]}, {"ours": [0, math.nan]}, "y", ""
    )
    texts = _texts(svg)
    assert "(1,234)" in texts
    assert all(part in " ".join(texts) for part in ("assays of kinases", "meta-train"))
    assert max(map(len, texts)) <= 17
