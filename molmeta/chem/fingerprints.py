"""Fingerprints by RDKit."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

# Radius 2 without chirality: ECFP4, as in every published few-shot baseline on FS-Mol.
_ECFP = rdFingerprintGenerator.GetMorganGenerator(radius=2)


@dataclass(frozen=True, slots=True)
class EcfpCounts:
    """Unfolded ECFP4 counts of many molecules (Rogers & Hahn 2010)."""

    lengths: NDArray[np.int64]
    """[n]: how many different environments each molecule has."""
    ids: NDArray[np.int32]
    """[lengths.sum()]: the hashes' 32 bits read as signed, ascending within a molecule."""
    counts: NDArray[np.uint8]
    """[lengths.sum()], capped at 255."""


def ecfp_counts(mols: Sequence[Chem.Mol]) -> EcfpCounts:
    """The counts of `mols`, in order."""
    found = [_ECFP.GetSparseCountFingerprint(mol).GetNonzeroElements() for mol in mols]
    lengths = np.array([len(of_one) for of_one in found], dtype=np.int64)
    ids = np.fromiter(chain.from_iterable(found), np.uint32).view(np.int32)
    counts = np.fromiter(chain.from_iterable(of_one.values() for of_one in found), np.int64)
    # Molecule and hash in one number, because one sort is eight times as fast as two.
    order = np.argsort((np.arange(len(mols)).repeat(lengths) << 32) + ids, kind="stable")
    return EcfpCounts(lengths, ids[order], np.minimum(counts, 255).astype(np.uint8)[order])


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
