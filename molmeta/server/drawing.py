"""Structures of a size that can be drawn while somebody waits."""

from __future__ import annotations

import math
from typing import Final

from molmeta.chem.intake import Rejection, read_smiles
from molmeta.errors import InputError
from molmeta.explanation.drawing import draw

DRAWN_ATOMS: Final = 200
"""Laying out 1,000 atoms takes RDKit seconds."""


def drawn(smiles: str, shares: str = "") -> str:
    """The structure as an `<svg>` element.

    Args:
        smiles: of a molecule.
        shares: of each atom, numbers with commas between; '' draws it plain.

    Raises:
        InputError: there is no molecule to draw, or it is too large, or shares are no numbers.
    """
    molecule = read_smiles(smiles)
    if isinstance(molecule, Rejection):
        raise InputError(f"This cannot be drawn: {molecule.reason}")
    if (n_atoms := molecule.mol.GetNumAtoms()) > DRAWN_ATOMS:
        raise InputError(f"{n_atoms} atoms are too many to draw; up to {DRAWN_ATOMS} are drawn")
    try:
        numbers = [float(share) for share in shares.split(",")] if shares else None
    except ValueError as error:
        raise InputError("shares are numbers with commas between them") from error
    if numbers is not None and not all(map(math.isfinite, numbers)):
        raise InputError("shares are finite numbers")
    return draw(smiles, numbers)
