"""Structures as SVG elements of a web page, their atoms coloured by what they bring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from rdkit.Chem.Draw import rdMolDraw2D

from molmeta.chem.intake import Rejection, read_smiles
from molmeta.errors import InputError

RAISES: Final = (0.0, 0.447, 0.698)
LOWERS: Final = (0.835, 0.369, 0.0)
"""Blue and vermilion (Okabe and Ito 2008), which every eye tells apart."""

_FAINTEST: Final = 0.08
"""Of the strongest share: what is weaker stays white."""


def draw(
    smiles: str, shares: Sequence[float] | None = None, *, width: int = 300, height: int = 225
) -> str:
    """The molecule as an `<svg>` element, to be put into a page as it is.

    Args:
        smiles: of a molecule.
        shares: [n_atoms], in the order in which the SMILES lists the atoms; blue where above 0,
            vermilion where below, the strongest in full colour. None draws it plain.
        width: in pixels.
        height: in pixels.

    Raises:
        InputError: no molecule can be read from `smiles`, or there is not one share an atom.
    """
    molecule = read_smiles(smiles)
    if isinstance(molecule, Rejection):
        raise InputError(f"{smiles!r} cannot be drawn: {molecule.reason}")
    mol = rdMolDraw2D.PrepareMolForDrawing(molecule.mol, addChiralHs=False)
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    # One scale of bonds in a table of structures: small molecules are not blown up.
    options.fixedBondLength = 25
    options.useBWAtomPalette()
    if shares is None:
        drawer.DrawMolecule(mol)
    else:
        if len(shares) != molecule.mol.GetNumAtoms():
            raise InputError(
                f"{len(shares)} shares for the {molecule.mol.GetNumAtoms()} atoms of {smiles}"
            )
        colors = _colors(shares)
        options.fillHighlights = True
        options.continuousHighlight = False
        drawer.DrawMolecule(
            mol,
            highlightAtoms=list(colors),
            highlightAtomColors=colors,
            highlightBonds=[],
            highlightAtomRadii=dict.fromkeys(colors, 0.42),
        )
    drawer.FinishDrawing()
    return _element(drawer.GetDrawingText(), f"structure of {molecule.smiles}", width, height)


def _colors(shares: Sequence[float]) -> dict[int, tuple[float, float, float]]:
    """Colour of each atom that is not near 0: from white at 0 to full at the strongest."""
    strongest = max((abs(share) for share in shares), default=0.0)
    colors = {}
    for atom, share in enumerate(shares):
        strength = abs(share) / strongest if strongest else 0.0
        if strength > _FAINTEST:
            red, green, blue = RAISES if share > 0 else LOWERS
            colors[atom] = (
                1 + strength * (red - 1),
                1 + strength * (green - 1),
                1 + strength * (blue - 1),
            )
    return colors


def _element(text: str, alt: str, width: int, height: int) -> str:
    """RDKit's file as an element without names of its own, that grows with the page."""
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<!--.*?-->\s*", "", body).replace("\n", "")
    label = f'role="img" aria-label="{escape(alt)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {label} viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{body}'
    )
