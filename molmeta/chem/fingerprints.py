"""ECFP4: the counts of a whole batch at once, and the atoms of each environment of one molecule."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molmeta.chem.graphs import Graphs, Neighbours

# Without chirality, as in every published few-shot baseline on FS-Mol.
_RADIUS: Final = 2
_ECFP = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS)

_BOND_TYPES: Final = np.array([1, 2, 3, 12, 0], dtype=np.uint32)
"""RDKit's number of each category of a bond's order; the intake lets no bond of the last pass."""

_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 / golden ratio, whose upper half is the constant of hash_combine."""


@dataclass(frozen=True, slots=True)
class EcfpCounts:
    """Unfolded ECFP4 counts of many molecules (Rogers & Hahn 2010)."""

    lengths: NDArray[np.int64]
    """[n]: how many different environments each molecule has."""
    ids: NDArray[np.int32]
    """[lengths.sum()]: the hashes' 32 bits read as signed, ascending within a molecule."""
    counts: NDArray[np.uint8]
    """[lengths.sum()], capped at 255."""


def ecfp_counts(graphs: Graphs, neighbours: Neighbours) -> EcfpCounts:
    """The counts of all molecules, in order: those of RDKit, which takes four times as long.

    RDKit goes molecule by molecule, and hands over each count as an object.
    """
    owners, hashes = _larger(graphs, neighbours)
    owners = np.concatenate([graphs.molecule_of_atom, owners])
    ids = np.concatenate([graphs.invariants, hashes]).view(np.int32)
    # Molecule and hash in one number, because one sort is eight times as fast as two.
    found, counts = np.unique((owners << 32) + ids, return_counts=True)
    return EcfpCounts(
        lengths=np.bincount((found + (1 << 31)) >> 32, minlength=len(graphs.n_atoms)),
        ids=found.astype(np.int32),
        counts=np.minimum(counts, 255).astype(np.uint8),
    )


def _larger(graphs: Graphs, neighbours: Neighbours) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Molecule and hash of each environment that has bonds.

    Of several with the same bonds, the one of the smallest radius counts, and of these the one of
    the smallest hash.
    """
    there, degrees, firsts = neighbours.there, neighbours.degrees, neighbours.firsts
    bonded = neighbours.bonded  # an atom alone has no larger environment
    types = _BOND_TYPES[graphs.bond_features[neighbours.bonds, 0]]
    sides = (neighbours.here << 36) + (types.astype(np.int64) << 32)
    own_bonds = _bits(graphs)[neighbours.bonds]
    sets = np.zeros((len(graphs.atoms), own_bonds.shape[1]), dtype=np.uint64)
    hashes = graphs.invariants
    keys, ranks = [], []
    for layer in range(_RADIUS):
        sets[bonded] |= np.bitwise_or.reduceat(own_bonds | sets[there], firsts[bonded])
        # The neighbours of each atom, by the type of their bond and by their hash.
        around = np.sort(sides + hashes[there])
        pairs = _combined(np.uint32(0), (around >> 32 & 15).astype(np.uint32))
        pairs = _combined(pairs, around.astype(np.uint32))
        hashes = _combined(np.uint32(layer), hashes)
        for place in range(degrees.max(initial=0)):
            atoms = (degrees > place).nonzero()[0]
            hashes[atoms] = _combined(hashes[atoms], pairs[firsts[atoms] + place])
        keys.append(sets[bonded])
        ranks.append((layer << 32) + hashes[bonded].astype(np.int64))
    owners = np.tile(graphs.molecule_of_atom[bonded], _RADIUS)
    places, least = _least(_hashed(owners, np.concatenate(keys)), np.concatenate(ranks))
    return owners[places], least.astype(np.uint32)


def _bits(graphs: Graphs) -> NDArray[np.uint64]:
    """Each bond as the set of it alone, among those of its molecule: [n_bonds, words]."""
    owners = graphs.molecule_of_atom[graphs.bonds[:, 0]]
    lengths = np.bincount(owners, minlength=len(graphs.n_atoms))
    place = np.arange(len(owners)) - (lengths.cumsum() - lengths)[owners]
    bits = np.zeros((len(owners), lengths.max(initial=1) // 64 + 1), dtype=np.uint64)
    bits[np.arange(len(owners)), place // 64] = np.uint64(1) << (place % 64).astype(np.uint64)
    return bits


def _combined(
    seed: NDArray[np.uint32] | np.uint32, value: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Boost's hash_combine of 32 bits, which RDKit hashes with."""
    added = value + np.uint32(_GOLDEN >> 32) + (seed << np.uint32(6)) + (seed >> np.uint32(2))
    combined: NDArray[np.uint32] = seed ^ added
    return combined


def _hashed(owners: NDArray[np.int64], sets: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each set of a molecule's bonds; one in 10^16 molecules has two that agree."""
    hashed = owners.astype(np.uint64)
    for words in sets.T:
        hashed ^= hashed >> np.uint64(32)
        hashed *= np.uint64(_GOLDEN)
        hashed ^= hashed >> np.uint64(29)
        hashed ^= words
    return hashed


def _least(
    keys: NDArray[np.uint64], ranks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each different key, a place where it stands and the least of its ranks."""
    order = np.argsort(keys)
    ascending = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]])[: len(keys)])
    return order[starts], np.minimum.reduceat(ranks[order], starts)


def ecfp_environments(mol: Chem.Mol) -> list[tuple[int, frozenset[int]]]:
    """Each environment that ECFP4 counts: its hash, as in `ecfp_counts`, and its atoms.

    A hash whose count is capped occurs here as often as in the molecule.
    """
    found = rdFingerprintGenerator.AdditionalOutput()
    found.AllocateBitInfoMap()
    _ECFP.GetSparseCountFingerprint(mol, additionalOutput=found)
    distances = Chem.GetDistanceMatrix(mol)
    return [
        (int(np.uint32(bit).view(np.int32)), frozenset(np.flatnonzero(distances[atom] <= radius)))
        for bit, places in found.GetBitInfoMap().items()
        for atom, radius in places
    ]
