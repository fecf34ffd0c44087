"""Drawings: SVG that a page can hold as it is, with colours where and how they belong."""

import xml.etree.ElementTree as ElementTree

import pytest

from molmeta.errors import InputError
from molmeta.explanation.drawing import draw

PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"


def circles(svg: str) -> dict[str, str]:
    """Atom -> fill of its highlight."""
    root = ElementTree.fromstring(svg)
    found = {}
    for one in root.iter("{http://www.w3.org/2000/svg}ellipse"):
        style = dict(part.split(":") for part in one.attrib["style"].split(";") if part)
        found[one.attrib["class"]] = style["fill"]
    return found


def test_a_plain_drawing_is_one_element_that_holds_no_script_and_no_reference() -> None:
    svg = draw(PARACETAMOL)
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    root = ElementTree.fromstring(svg)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "path", "ellipse", "rect", "line", "polygon"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in attributes if name == "id" or "href" in name}
    assert not {name for name in attributes if name.startswith("on")}
    assert circles(svg) == {}


def test_raising_atoms_are_blue_lowering_ones_orange_and_the_strongest_full() -> None:
    shares = [0.0] * 11
    shares[2], shares[8], shares[3], shares[0] = 0.5, -1.0, 0.25, 0.01
    found = circles(draw(PARACETAMOL, shares))
    assert set(found) == {"atom-2", "atom-8", "atom-3"}

    def parts(atom: str) -> tuple[int, int, int]:
        red, green, blue = (int(found[atom][i : i + 2], 16) for i in (1, 3, 5))
        return red, green, blue

    assert parts("atom-8") == pytest.approx((213, 94, 0), abs=1)
    assert parts("atom-2")[2] > parts("atom-2")[0]
    assert parts("atom-3")[0] > parts("atom-2")[0]  # the weaker is paler


def test_text_of_the_molecule_is_escaped() -> None:
    svg = draw("C/C=C/C#N")
    assert 'aria-label="structure of C/C=C/C#N"' in svg
    assert "&lt;" not in svg
    ElementTree.fromstring(svg)


def test_what_cannot_be_drawn_is_told() -> None:
    with pytest.raises(InputError, match="cannot be drawn"):
        draw("<script>alert(1)</script>")
    with pytest.raises(InputError, match="2 shares for the 11 atoms"):
        draw(PARACETAMOL, [0.1, 0.2])


def test_a_molecule_without_shares_worth_colouring_is_drawn() -> None:
    assert circles(draw("C", [0.0])) == {}
    assert circles(draw("C", [1e-3])).keys() == {"atom-0"}


@pytest.mark.parametrize("smiles", ["C" * 300, "C[C@H](N)C(=O)O", "O=S(=O)(O)c1ccccc1[N+](=O)[O-]"])
def test_unusual_molecules_are_drawn(smiles: str) -> None:
    root = ElementTree.fromstring(draw(smiles))
    assert len(list(root)) > 5
