"""Which atoms of a compound its answer comes from: what changes when they say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule
from molmeta.explanation.masking import masked
from molmeta.target import TargetModel

RADII: Final = (0, 1, 2)
"""Bonds around an atom that are masked with it. Fitted to all three, the shares rank side chains of
real compounds as cutting them off does, and masking the atoms that stand out moves the answer more
than with any one of them (benchmarks/attribution.py; figures in benchmarks/NOTES.md)."""

_ATOMS_AT_ONCE: Final = 20_000
"""In one pass through the model, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class AtomShares:
    """What each atom brings to the answer of a model without its compound memory."""

    shares: tuple[float, ...]
    """[n_atoms], as the molecule lists them, in the unit of the answer: above 0 where the atom
    raises it. Summed over a mask they come as close as they can to what it takes from the answer;
    summed over all atoms they are not the answer."""
    answer: float
    """Of the model without memory: the memory knows whole compounds, and nothing of atoms."""


def atom_shares(structural: TargetModel, molecule: Molecule) -> AtomShares:
    """The atoms' shares in the answer of a target `without_memory`.

    Each atom is masked alone and with its surroundings. The shares are those that add up best, in
    least squares, to what the answer loses under every mask: a local linear model of the answer, as
    in LIME (Ribeiro et al. 2016), with masks of neighbouring atoms in place of random ones.

    Args:
        structural: the adapted model, whose memory is off.
        molecule: of the intake.
    """
    device = structural.support.molecules.device
    answer = float(structural.merits(featurize([molecule]).to(device)))
    masks = [mask for radius in RADII for mask in _surroundings(molecule.mol, radius)]
    lost = answer - _answers(structural, molecule, masks)
    members = torch.zeros(len(masks), molecule.mol.GetNumAtoms(), dtype=torch.float64)
    for row, mask in zip(members, masks, strict=True):
        row[list(mask)] = 1.0
    # Normal equations: each atom alone is among the masks, so that they are well conditioned.
    shares = torch.linalg.solve(members.T @ members, members.T @ lost)
    return AtomShares(tuple(shares.tolist()), answer)


def _surroundings(mol: Chem.Mol, radius: int) -> list[frozenset[int]]:
    """Each atom with those at most `radius` bonds from it."""
    distances = Chem.GetDistanceMatrix(mol)
    return [frozenset(np.flatnonzero(row <= radius).tolist()) for row in distances]


def _answers(target: TargetModel, molecule: Molecule, masks: list[frozenset[int]]) -> Tensor:
    """What the model says of the molecule under each mask: [len(masks)], double."""
    step = max(1, _ATOMS_AT_ONCE // molecule.mol.GetNumAtoms())
    device = target.support.molecules.device
    answers = [
        target.merits(masked(molecule, masks[start : start + step]).to(device)).double().cpu()
        for start in range(0, len(masks), step)
    ]
    return torch.cat(answers)
