"""Which bonds turn, by RDKit's strict definition."""

import numpy as np
from numpy.typing import NDArray

from molmeta.chem.graphs import AROMATIC, COLUMN, DOUBLE, ELEMENT, SINGLE, TRIPLE, Graphs


def rotatable_bonds(graphs: Graphs, in_ring: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Single bonds outside rings that turn one part of the molecule against another.

    Not those to an end: an atom of one neighbour or of a triple bond, methyl, tert-butyl, or a
    carbon with three fluorines, chlorines or bromines. Nor those within an amide, an ester, a urea
    or what else has N, O or S on both sides of a carbon, one of them doubly bonded.

    Args:
        graphs: of any molecules.
        in_ring: [n_bonds].

    Returns:
        [n_bonds].
    """
    element, degree, hydrogens, aromatic = (
        graphs.atoms[:, COLUMN[name]] for name in ("element", "degree", "hydrogens", "aromatic")
    )
    # Each bond from either side.
    here, there = np.concatenate([graphs.bonds, graphs.bonds[:, ::-1]]).T
    order = np.tile(graphs.bond_features[:, 0], 2)
    turns = (order == SINGLE) & ~np.tile(in_ring, 2)

    def neighbours(bonds: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(here[bonds], minlength=len(element))

    nitrogen, oxygen, sulfur, hydrogen = (element == ELEMENT[symbol] for symbol in "NOSH")
    aliphatic = aromatic == 0
    carbon = aliphatic & (element == ELEMENT["C"])
    methyl = carbon & (hydrogens + neighbours(hydrogen[there]) == 3)
    end = (degree == 1) | methyl | (neighbours(order == TRIPLE) > 0)
    attached = (order == SINGLE) | (order == AROMATIC)
    for kind in (methyl, *(element == ELEMENT[symbol] for symbol in ("F", "Cl", "Br"))):
        end |= carbon & (neighbours(attached & kind[there]) >= 3)

    hetero = aliphatic & (nitrogen | oxygen | sulfur)
    carbonyl = carbon & (degree == 3) & (neighbours((order == DOUBLE) & hetero[there]) > 0)
    partner = nitrogen | aliphatic & (oxygen | sulfur & (degree != 1))
    stiff = carbonyl & (neighbours(turns & partner[there]) > 0)
    stiff |= partner & (neighbours(turns & carbonyl[there]) > 0)

    first, second = graphs.bonds.T
    still = end[first] | end[second] | stiff[first] & stiff[second]
    found: NDArray[np.bool_] = turns[: len(graphs.bonds)] & ~still
    return found
