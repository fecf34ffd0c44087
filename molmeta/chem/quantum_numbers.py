"""Molecular quantum numbers: 42 counts of atoms, bonds, polarity and topology.

RDKit's `MQNs_` gives the same, but spends half of what parsing costs on the recursive patterns of
rotatable bonds; from the arrays of a whole batch all 42 cost a fifth of that, rings included.
"""

import numpy as np
from numpy.typing import NDArray

from molmeta.chem.graphs import AROMATIC, COLUMN, DOUBLE, ELEMENT, SINGLE, TRIPLE, Graphs
from molmeta.chem.rotatable import rotatable_bonds
from molmeta.chem.vocabulary import MAX_CHARGE

_LARGE_RING = 10


def quantum_numbers(graphs: Graphs, masked: NDArray[np.bool_] | None = None) -> NDArray[np.int16]:
    """The quantum numbers of Nguyen et al. 2009 (doi:10.1002/cmdc.200900317): [n, 42].

    Departures, all RDKit's: of aromatic bonds half count as double; every oxygen accepts hydrogen
    bonds, and every nitrogen of fewer than four neighbours.

    Args:
        graphs: of any molecules.
        masked: [n_atoms]; not counted are these atoms, and bonds and rings that one of them is in.
            What the others are, such as in a ring, they stay. None for no atom.
    """
    n = len(graphs.n_atoms)
    of_atom = graphs.molecule_of_atom
    if masked is not None:
        of_atom = np.where(masked, n, of_atom)  # to a molecule of their own, cut off below
    of_bond = np.maximum(*of_atom[graphs.bonds].T)
    ring_starts = graphs.ring_sizes.cumsum() - graphs.ring_sizes
    of_ring = np.maximum.reduceat(of_atom[graphs.ring_atoms], ring_starts)

    def count(owners: NDArray[np.int64], which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(owners[which], minlength=n)[:n]

    def total(values: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.bincount(of_atom, values, minlength=n)[:n].astype(np.int64)

    element, degree, hydrogens = (
        graphs.atoms[:, COLUMN[name]] for name in ("element", "degree", "hydrogens")
    )
    negative, positive = (
        compare(graphs.atoms[:, COLUMN["charge"]], MAX_CHARGE) for compare in (np.less, np.greater)
    )
    heavy = element != ELEMENT["H"]
    nitrogen, oxygen = element == ELEMENT["N"], element == ELEMENT["O"]
    acceptor, donor = oxygen | nitrogen & (degree != 4), (oxygen | nitrogen) & (hydrogens > 0)
    oxide = oxygen & (graphs.atoms[:, COLUMN["charge"]] == MAX_CHARGE - 1)
    rings = graphs.rings_of_atom
    apart = rings == 0, rings > 0

    order, rings_of_bond = graphs.bond_features[:, 0], graphs.rings_of_bond
    acyclic, cyclic = (
        [count(of_bond, (order == kind) & where) for kind in (SINGLE, DOUBLE, TRIPLE)]
        for where in (rings_of_bond == 0, rings_of_bond > 0)
    )
    # The triple bond of an aryne is part of the aromatic ring.
    in_aryne = (order == TRIPLE) & (graphs.atoms[graphs.bonds, COLUMN["aromatic"]] == 1).all(1)
    aromatic = count(of_bond, (order == AROMATIC) | in_aryne)
    sizes = np.minimum(graphs.ring_sizes, _LARGE_RING)
    columns = [
        *(count(of_atom, element == ELEMENT[x]) for x in ("C", "F", "Cl", "Br", "I", "S", "P")),
        *(count(of_atom, kind & where) for kind in (nitrogen, oxygen) for where in apart),
        count(of_atom, heavy),
        *acyclic,
        cyclic[0] + (aromatic + 1) // 2,
        cyclic[1] + aromatic // 2,
        cyclic[2],
        count(of_bond, rotatable_bonds(graphs, rings_of_bond > 0)),
        total(acceptor + oxygen.astype(np.uint8) + oxide),
        count(of_atom, acceptor),
        total(hydrogens * donor),
        count(of_atom, donor),
        count(of_atom, negative),
        count(of_atom, positive),
        count(of_atom, heavy & (degree == 1)),
        *(count(of_atom, heavy & where & (degree == k)) for where in apart for k in (2, 3, 4)),
        *(count(of_ring, sizes == size) for size in range(3, _LARGE_RING + 1)),
        count(of_atom, heavy & (rings > 1)),
        count(of_bond, rings_of_bond > 1),
    ]
    return np.stack(columns, axis=1).astype(np.int16)
