"""Molecules -> their graphs as arrays, a whole batch at once, because calls of numpy cost most."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdqueries
from rdkit.Chem.rdMolDescriptors import GetConnectivityInvariants as _invariants

from molmeta.chem.intake import Molecule
from molmeta.chem.vocabulary import (
    ATOM_COLUMNS,
    ELEMENTS,
    MAX_CHARGE,
    MAX_DEGREE,
    MAX_HYDROGENS,
)

COLUMN: Final = {name: i for i, name in enumerate(ATOM_COLUMNS)}
"""Of `Graphs.atoms`, by name."""

ELEMENT: Final = {symbol: i for i, symbol in enumerate(ELEMENTS)}
"""Category of each element; all others share the next one."""

SINGLE, DOUBLE, TRIPLE, AROMATIC, OTHER = range(5)
"""Categories of a bond's order."""

_ORDERS: Final = {1.0: SINGLE, 2.0: DOUBLE, 3.0: TRIPLE, 1.5: AROMATIC}
_CIP: Final = {"R": 1, "S": 2}
_WITH_LABEL: Final = rdqueries.HasPropQueryAtom("_CIPCode")
_BOND_STEREO: Final = {Chem.BondStereo.STEREOE: 1, Chem.BondStereo.STEREOZ: 2}


@dataclass(frozen=True, slots=True)
class Graphs:
    """Atoms, bonds and rings of `n` molecules; atoms in canonical order, counted over the batch.

    Rings are those of RDKit's symmetrised smallest set of smallest rings.
    """

    n_atoms: NDArray[np.int64]
    """[n], of each molecule."""
    atoms: NDArray[np.uint8]
    """[n_atoms, 7]: category of each column in `vocabulary.ATOM_COLUMNS`."""
    invariants: NDArray[np.uint32]
    """[n_atoms]: RDKit's hash of element, neighbours, hydrogens, charge, isotope, ring or not."""
    bonds: NDArray[np.int64]
    """[n_bonds, 2], ascending: each bond once, its first atom before its second."""
    bond_features: NDArray[np.uint8]
    """[n_bonds, 2]: category of each column in `vocabulary.BOND_COLUMNS`."""
    ring_sizes: NDArray[np.int64]
    """[n_rings]."""
    ring_atoms: NDArray[np.int64]
    """[ring_sizes.sum()]: the atoms of each ring, going round it."""

    @property
    def molecule_of_atom(self) -> NDArray[np.int64]:
        """Which molecule each atom belongs to: [n_atoms], ascending."""
        return np.arange(len(self.n_atoms)).repeat(self.n_atoms)

    @property
    def rings_of_atom(self) -> NDArray[np.int64]:
        """How many rings each atom is in: [n_atoms]."""
        return np.bincount(self.ring_atoms, minlength=len(self.atoms))

    @property
    def rings_of_bond(self) -> NDArray[np.int64]:
        """How many rings each bond is in: [n_bonds]."""
        following = np.arange(1, len(self.ring_atoms) + 1)
        following[self.ring_sizes.cumsum() - 1] -= self.ring_sizes
        pairs = np.sort(np.stack([self.ring_atoms, self.ring_atoms[following]], axis=1), axis=1)
        n_atoms = len(self.atoms)
        places = np.searchsorted(_as_numbers(self.bonds, n_atoms), _as_numbers(pairs, n_atoms))
        return np.bincount(places, minlength=len(self.bonds))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Every bond of a batch from both of its ends; rows ascend by the atom it is seen from."""

    here: NDArray[np.int64]
    """[2 n_bonds]: that atom."""
    there: NDArray[np.int64]
    """[2 n_bonds]: the atom at the other end."""
    bonds: NDArray[np.int64]
    """[2 n_bonds]: which bond it is."""
    degrees: NDArray[np.int64]
    """[n_atoms]: how many rows each atom has."""
    firsts: NDArray[np.int64]
    """[n_atoms]: the first of them."""
    bonded: NDArray[np.int64]
    """Atoms with at least one."""

    @classmethod
    def of(cls, graphs: Graphs) -> Self:
        """The neighbours in `graphs`."""
        ends = np.concatenate([graphs.bonds, graphs.bonds[:, ::-1]])
        order = np.argsort(ends[:, 0], kind="stable")
        here, there = ends[order].T
        degrees = np.bincount(here, minlength=len(graphs.atoms))
        firsts = degrees.cumsum() - degrees
        bonds = order % max(len(graphs.bonds), 1)
        return cls(here, there, bonds, degrees, firsts, degrees.nonzero()[0])


def graphs_of(molecules: Sequence[Molecule]) -> Graphs:
    """The graphs of `molecules`, in order."""
    n_atoms = np.array([molecule.mol.GetNumAtoms() for molecule in molecules], dtype=np.int64)
    starts = n_atoms.cumsum() - n_atoms
    # The place in the canonical order of each atom in RDKit's, and the other way round.
    place = _flat((molecule.ranks for molecule in molecules), np.int64) + starts.repeat(n_atoms)
    ranked = np.empty_like(place)
    ranked[place] = np.arange(len(place))

    bonds, bond_features = _bonds(molecules, n_atoms, starts)
    invariants = _flat((_invariants(m.mol) for m in molecules), np.uint32)
    degrees = np.bincount(bonds.ravel(), minlength=len(place))
    atoms = _atoms(molecules, starts, invariants, degrees)[ranked]
    bonds = np.sort(place[bonds], axis=1)
    ascending = np.argsort(_as_numbers(bonds, len(place)), kind="stable")
    bonds, bond_features = bonds[ascending], bond_features[ascending]
    atoms[bonds[bond_features[:, 0] == AROMATIC], COLUMN["aromatic"]] = 1

    rings = [molecule.mol.GetRingInfo().AtomRings() for molecule in molecules]
    n_ring_atoms = [sum(map(len, of_one)) for of_one in rings]
    ring_atoms = _flat(chain.from_iterable(rings), np.int64) + starts.repeat(n_ring_atoms)
    return Graphs(
        n_atoms=n_atoms,
        atoms=atoms,
        invariants=invariants[ranked],
        bonds=bonds,
        bond_features=bond_features,
        ring_sizes=_flat((map(len, of_one) for of_one in rings), np.int64),
        ring_atoms=place[ring_atoms],
    )


def _atoms(
    molecules: Sequence[Molecule],
    starts: NDArray[np.int64],
    invariants: NDArray[np.uint32],
    degrees: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Seven categories an atom, in RDKit's order; aromatic is still 0."""
    # The invariant and the degree, which tells implicit hydrogens from those that are atoms, fix
    # the first five columns. A batch holds only a few dozen different pairs, and one atom of each
    # is looked at.
    pairs = invariants.astype(np.int64) << 8 | degrees
    _, examples, kinds = np.unique(pairs, return_index=True, return_inverse=True)
    owners = np.asarray(np.searchsorted(starts, examples, side="right")) - 1
    indices = examples - starts[owners]
    rows = [
        _atom_row(molecules[owner].mol.GetAtomWithIdx(index))
        for owner, index in zip(owners.tolist(), indices.tolist(), strict=True)
    ]
    atoms = np.array(rows, dtype=np.uint8).reshape(-1, len(ATOM_COLUMNS))[kinds]
    for molecule, start in zip(molecules, starts.tolist(), strict=True):
        if molecule.has_stereo:
            for atom in molecule.mol.GetAtomsMatchingQuery(_WITH_LABEL):
                handedness = _CIP.get(atom.GetProp("_CIPCode"), 0)
                atoms[start + atom.GetIdx(), COLUMN["chirality"]] = handedness
    return atoms


def _atom_row(atom: Chem.Atom) -> tuple[int, ...]:
    charge = max(-MAX_CHARGE, min(MAX_CHARGE, atom.GetFormalCharge()))
    return (
        ELEMENT.get(atom.GetSymbol(), len(ELEMENTS)),
        min(atom.GetDegree(), MAX_DEGREE),
        min(atom.GetTotalNumHs(), MAX_HYDROGENS),
        charge + MAX_CHARGE,
        int(atom.IsInRing()),
        0,
        0,
    )


def _bonds(
    molecules: Sequence[Molecule], n_atoms: NDArray[np.int64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Both atoms of each bond, in RDKit's order, and its two categories: [n_bonds, 2] each."""
    cells, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for molecule in molecules:
        # A row per atom and a column per atom: 1, 2, 3, 1.5 where there is a bond, else 0.
        matrix = Chem.GetAdjacencyMatrix(molecule.mol, useBO=True).ravel()
        cells.append(matrix.nonzero()[0])
        values.append(matrix[cells[-1]])
    owners = np.arange(-1, len(molecules)).repeat([len(part) for part in cells])
    first, second = np.divmod(np.concatenate(cells), n_atoms[owners])
    once = first < second
    owners, value = owners[once], np.concatenate(values)[once]
    pairs = np.stack([first[once], second[once]], axis=1)
    orders = np.select([value == number for number in _ORDERS], list(_ORDERS.values()), OTHER)
    features = np.stack([orders, np.zeros_like(orders)], axis=1).astype(np.uint8)
    marked = np.array([molecule.has_stereo for molecule in molecules], dtype=bool)
    for row in np.flatnonzero((orders == DOUBLE) & marked[owners]).tolist():
        bond = molecules[owners[row]].mol.GetBondBetweenAtoms(*pairs[row].tolist())
        features[row, 1] = _BOND_STEREO.get(bond.GetStereo(), 0)
    return pairs + starts[owners, None], features


def _as_numbers(pairs: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """Pairs of atoms [n, 2] as numbers [n] in the order of the pairs."""
    return pairs[:, 0] * n_atoms + pairs[:, 1]


def _flat(parts: Iterable[Iterable[Any]], dtype: type) -> NDArray[Any]:
    return np.fromiter(chain.from_iterable(parts), dtype)
