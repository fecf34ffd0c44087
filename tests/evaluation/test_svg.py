"""Styles and swatches: methods can be told apart, by every eye."""

from xml.etree import ElementTree

import pytest

from molmeta.evaluation.svg import COLORS, GREY, INK, style_of, swatch


def _luminance(color: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_no_two_of_the_first_28_methods_look_alike() -> None:
    assert len({style_of(i) for i in range(28)}) == 28


def test_methods_of_one_colour_differ_in_marker_and_line() -> None:
    for i in range(len(COLORS)):
        first, second = style_of(i), style_of(i + len(COLORS))
        assert first.color == second.color
        assert (first.marker != second.marker, first.line != second.line) == (True, True)


@pytest.mark.parametrize("color", [INK, GREY])
def test_what_is_written_reads_on_white(color: str) -> None:
    assert 1.05 / (_luminance(color) + 0.05) >= 4.5


def test_a_swatch_shows_its_colour_and_gives_out_no_identifier() -> None:
    for i in range(8):
        text = swatch(style_of(i))
        ElementTree.fromstring(text)
        assert style_of(i).color.lower() in text
        assert ' id="' not in text
