"""Drawings of a page: the same picture in fewer bytes, and no more than the page has room for."""

from molmeta.explanation.drawing import draw
from molmeta.report.structures import MAX_ATOMS, Drawings, is_drawable

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def test_first_asked_is_first_drawn() -> None:
    one = Drawings().of(ASPIRIN)
    assert one is not None
    drawings = Drawings(room=len(one) + 10)
    assert drawings.of(ASPIRIN) == one
    assert drawings.of(ASPIRIN) is None


def test_a_shorter_drawing_keeps_every_line_and_colour() -> None:
    whole, short = draw(ASPIRIN), Drawings().of(ASPIRIN)
    assert short is not None
    assert len(short) < 0.75 * len(whole)
    for kept in (" d='", "stroke:#000000", "<path", "stroke-width", "stroke-miterlimit"):
        assert short.count(kept) == whole.count(kept)


def test_only_molecules_in_which_something_can_be_seen_are_drawn() -> None:
    assert is_drawable("C" * MAX_ATOMS)
    assert not is_drawable("C" * (MAX_ATOMS + 1))
    assert not is_drawable("C1CC")
