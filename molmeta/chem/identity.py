"""Identity keys: a 64-bit number for each molecule, the same however it is written."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from molmeta.chem.canonical import is_told_by_labels
from molmeta.chem.graphs import COLUMN, Graphs
from molmeta.chem.intake import Molecule

_BOND: Final = np.uint64(1 << 63)
"""Tells the number of a bond from that of an atom."""


def identity_keys(molecules: Sequence[Molecule], graphs: Graphs) -> NDArray[np.int64]:
    """The key of each molecule: [n].

    It is a sum over atoms and bonds, each a hash of what it is and where it stands in the canonical
    order, so that equal keys mean equal graphs with equal labels R, S, E and Z; one pair in 10^19
    of other molecules has equal keys too. What these do not tell (isotopes, centres that mean
    something together alone) the hash of the canonical SMILES adds.

    Args:
        molecules: [n].
        graphs: theirs, in order.
    """
    owners = graphs.molecule_of_atom
    starts = graphs.n_atoms.cumsum() - graphs.n_atoms
    place = np.arange(len(owners)) - starts[owners]
    handedness = graphs.atoms[:, COLUMN["chirality"]].astype(np.int64)
    atoms = place << 40 | handedness << 32 | graphs.invariants
    of_bonds = owners[graphs.bonds[:, 0]]
    ends = graphs.bonds - starts[of_bonds, None]
    order, stereo = graphs.bond_features.astype(np.int64).T
    bonds = ends[:, 0] << 40 | ends[:, 1] << 16 | order << 8 | stereo

    n_bonds = np.bincount(of_bonds, minlength=len(molecules))
    keys = _sums(_mixed(atoms.astype(np.uint64)), graphs.n_atoms)
    keys += _sums(_mixed(bonds.astype(np.uint64) | _BOND), n_bonds)
    for i, molecule in enumerate(molecules):
        if molecule.written is not None and not is_told_by_labels(molecule.mol):
            keys[i] ^= _of_text(molecule.written)
    return keys.view(np.int64)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = numbers ^ numbers >> np.uint64(31)
    return mixed


def _sums(numbers: NDArray[np.uint64], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The sum of each molecule's numbers, which may be none, modulo 2^64: [n]."""
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), numbers.cumsum(dtype=np.uint64)])
    ends = lengths.cumsum()
    of_each: NDArray[np.uint64] = sums[ends] - sums[ends - lengths]
    return of_each


def _of_text(smiles: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(smiles.encode(), digest_size=8).digest(), "little"))
