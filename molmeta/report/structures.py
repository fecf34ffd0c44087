"""Drawings for one page, as many as it has room for."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from molmeta.chem.intake import Molecule, read_smiles
from molmeta.explanation.drawing import draw

ROOM: Final = 3_600_000
"""Bytes: with it a page of 200 molecules stays under 5 MB, whatever they are."""

MAX_ATOMS: Final = 120
"""Heavy atoms; in the drawing of a larger molecule nothing can be told apart."""

_SAID_ALREADY: Final = re.compile(
    r" class='[^']*'|;(?:fill-rule:evenodd|stroke-linecap:butt|stroke-linejoin:miter"
    r"|stroke-opacity:1)(?=[;'])"
)
"""In RDKit's drawings: what SVG does anyway, and names that nothing refers to; a third of all."""


class Drawings:
    """Structures drawn as long as the page has room: first asked, first drawn."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room

    def of(self, smiles: str) -> Markup | None:
        """The structure; None where it is too large, or the page is full."""
        if not is_drawable(smiles):
            return None
        return self.taken(draw(smiles))

    def taken(self, svg: str) -> Markup | None:
        """A drawing, if there is room for it."""
        svg = _SAID_ALREADY.sub("", svg)
        if len(svg) > self._room:
            return None
        self._room -= len(svg)
        return Markup(svg)


def is_drawable(smiles: str) -> bool:
    """Whether a drawing of the molecule shows anything."""
    molecule = read_smiles(smiles)
    return isinstance(molecule, Molecule) and molecule.mol.GetNumHeavyAtoms() <= MAX_ATOMS
