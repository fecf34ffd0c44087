"""Molecules to arrays: the graph, the fingerprint and the descriptors of each, in one batch."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.fingerprints import descriptors, ecfp_counts
from molmeta.chem.intake import Molecule, identity_key
from molmeta.chem.vocabulary import (
    ATOM_COLUMNS,
    BOND_COLUMNS,
    ELEMENTS,
    MAX_CHARGE,
    MAX_DEGREE,
    MAX_HYDROGENS,
    N_DESCRIPTORS,
)

_ELEMENT_INDEX: Final = {symbol: i for i, symbol in enumerate(ELEMENTS)}
_COLUMN: Final = {name: i for i, name in enumerate(ATOM_COLUMNS)}
_BOND_ORDER: Final = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}
_CIP: Final = {"R": 1, "S": 2}
_BOND_STEREO: Final = {Chem.BondStereo.STEREOE: 1, Chem.BondStereo.STEREOZ: 2}

# RDKit's connectivity invariant of an atom fixes the first five columns, and a screening library
# holds only a few hundred different ones: each is looked up atom by atom once and then remembered.
_rows_by_invariant: dict[int, tuple[int, ...]] = {}


def featurize(molecules: Sequence[Molecule]) -> MoleculeBatch:
    """The arrays of `molecules`, in order; an empty sequence gives a batch of none."""
    graphs = [_graph(molecule) for molecule in molecules]
    ecfps = [ecfp_counts(molecule.mol) for molecule in molecules]
    return MoleculeBatch(
        atom_offsets=_offsets([len(atoms) for atoms, _, _ in graphs]),
        atoms=_stack([atoms for atoms, _, _ in graphs], (0, len(ATOM_COLUMNS)), np.uint8),
        bond_offsets=_offsets([len(bonds) for _, bonds, _ in graphs]),
        bonds=_stack([bonds for _, bonds, _ in graphs], (0, 2), np.int16),
        bond_features=_stack([kinds for _, _, kinds in graphs], (0, len(BOND_COLUMNS)), np.uint8),
        ecfp_offsets=_offsets([len(ids) for ids, _ in ecfps]),
        ecfp_ids=_stack([ids for ids, _ in ecfps], (0,), np.int32),
        ecfp_counts=_stack([counts for _, counts in ecfps], (0,), np.uint8),
        descriptors=_stack(
            [descriptors(molecule.mol)[None] for molecule in molecules],
            (0, N_DESCRIPTORS),
            np.int16,
        ),
        keys=torch.tensor(
            [identity_key(molecule.smiles) for molecule in molecules], dtype=torch.int64
        ),
    )


def _graph(
    molecule: Molecule,
) -> tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.uint8]]:
    """Atoms [n_atoms, 7], bonds [n_bonds, 2] and bond features [n_bonds, 2], in canonical order."""
    mol = molecule.mol
    order = np.array(molecule.atom_order, dtype=np.int64)
    # A row per atom and a column per atom: 1, 2, 3, 1.5 where there is a bond, else 0.
    matrix = Chem.GetAdjacencyMatrix(mol, useBO=True)[order][:, order]
    atoms = np.array(_atom_rows(mol), dtype=np.uint8).reshape(-1, len(ATOM_COLUMNS))[order]
    atoms[:, _COLUMN["aromatic"]] = (matrix == 1.5).any(axis=1)

    bonds = np.argwhere(np.triu(matrix))
    kinds = np.zeros((len(bonds), len(BOND_COLUMNS)), dtype=np.uint8)
    kinds[:, 0] = [_BOND_ORDER.get(x, len(_BOND_ORDER)) for x in matrix[bonds[:, 0], bonds[:, 1]]]

    if "@" in molecule.smiles:
        for place, index in enumerate(molecule.atom_order):
            atom = mol.GetAtomWithIdx(index)
            if atom.HasProp("_CIPCode"):
                atoms[place, _COLUMN["chirality"]] = _CIP.get(atom.GetProp("_CIPCode"), 0)
    if "/" in molecule.smiles or "\\" in molecule.smiles:
        for row, (i, j) in enumerate(bonds):
            bond = mol.GetBondBetweenAtoms(int(order[i]), int(order[j]))
            kinds[row, 1] = _BOND_STEREO.get(bond.GetStereo(), 0)
    return atoms, bonds.astype(np.int16), kinds


def _atom_rows(mol: Chem.Mol) -> list[tuple[int, ...]]:
    """Seven categories an atom, in RDKit's order; aromatic and chirality are still 0."""
    invariants = rdMolDescriptors.GetConnectivityInvariants(mol)
    rows = []
    for index, invariant in enumerate(invariants):
        row = _rows_by_invariant.get(invariant)
        if row is None:
            row = _atom_row(mol.GetAtomWithIdx(index))
            _rows_by_invariant[invariant] = row
        rows.append(row)
    return rows


def _atom_row(atom: Chem.Atom) -> tuple[int, ...]:
    charge = max(-MAX_CHARGE, min(MAX_CHARGE, atom.GetFormalCharge()))
    return (
        _ELEMENT_INDEX.get(atom.GetSymbol(), len(ELEMENTS)),
        min(atom.GetDegree(), MAX_DEGREE),
        min(atom.GetTotalNumHs(), MAX_HYDROGENS),
        charge + MAX_CHARGE,
        int(atom.IsInRing()),
        0,
        0,
    )


def _offsets(lengths: Sequence[int]) -> torch.Tensor:
    return torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0)


def _stack(parts: Sequence[NDArray], empty: tuple[int, ...], dtype: type) -> torch.Tensor:  # type: ignore[type-arg]
    return torch.from_numpy(np.concatenate(parts) if parts else np.zeros(empty, dtype=dtype))
