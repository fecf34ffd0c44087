"""What the columns of a molecule's arrays mean; without RDKit, which a model does not need."""

from typing import Final

FEATURES_VERSION: Final = 3
"""Raised whenever a value in a MoleculeBatch changes; models refuse arrays of another version."""

ELEMENTS: Final = (
    *("H", "B", "C", "N", "O", "F", "Na", "Si", "P", "S"),
    *("Cl", "Zn", "As", "Se", "Br", "Te", "I"),
)
"""The elements that occur in the FS-Mol meta-train fold; the intake turns away every other."""

MAX_DEGREE: Final = 6
MAX_HYDROGENS: Final = 4
MAX_CHARGE: Final = 2

ATOM_COLUMNS: Final[dict[str, int]] = {
    "element": len(ELEMENTS) + 1,
    "degree": MAX_DEGREE + 1,
    "hydrogens": MAX_HYDROGENS + 1,
    "charge": 2 * MAX_CHARGE + 1,
    "in_ring": 2,
    "aromatic": 2,
    "chirality": 3,
}
"""Column of `MoleculeBatch.atoms` -> how many categories it has; larger values share the last."""

BOND_COLUMNS: Final[dict[str, int]] = {"order": 5, "stereo": 3}
"""Column of `MoleculeBatch.bond_features` -> categories. Order: single, double, triple, aromatic,
other. Stereo: none, E, Z."""

N_DESCRIPTORS: Final = 42
"""The molecular quantum numbers of Nguyen et al. 2009 (doi:10.1002/cmdc.200900317), in order."""
