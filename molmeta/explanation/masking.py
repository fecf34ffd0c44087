"""A molecule with some of its atoms masked: what a model sees when they say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from molmeta.chem.batch import MoleculeBatch, concatenate
from molmeta.chem.features import featurize
from molmeta.chem.fingerprints import ecfp_environments
from molmeta.chem.graphs import Neighbours, graphs_of
from molmeta.chem.intake import Molecule
from molmeta.chem.motifs import motif_counts
from molmeta.chem.quantum_numbers import quantum_numbers

_MOST = 255
"""Of a count, as in `ecfp_counts`."""


def masked(molecule: Molecule, masks: Sequence[Iterable[int]]) -> MoleculeBatch:
    """The molecule once for each mask, without what the atoms in it say: [len(masks)].

    The graph loses the atoms and their bonds, the fingerprint and the motifs every environment that
    holds one of them, the quantum numbers every atom, bond and ring. All others stay as they are,
    as if the masked atoms were there but not looked at.

    Args:
        molecule: of the intake.
        masks: atoms of `molecule.mol`; of all atoms too.
    """
    whole = featurize([molecule])
    environments = ecfp_environments(molecule.mol)
    sets = [frozenset(mask) for mask in masks]
    ranks = np.array(molecule.ranks)
    hidden = np.zeros((len(sets), len(ranks)), dtype=bool)
    for row, mask in zip(hidden, sets, strict=True):
        row[ranks[list(mask)]] = True
    graphs = graphs_of([molecule] * len(sets))
    motifs = motif_counts(graphs, Neighbours.of(graphs), hidden.ravel())
    parts = []
    for i, mask in enumerate(sets):
        kept = torch.from_numpy(np.flatnonzero(~hidden[i]))
        counts = Counter(bit for bit, atoms in environments if not atoms & mask)
        parts.append(_without(whole, kept, counts))
    return replace(
        concatenate(parts),
        motif_offsets=torch.from_numpy(np.concatenate([[0], motifs.lengths.cumsum()])),
        motif_ids=torch.from_numpy(motifs.ids),
        motif_counts=torch.from_numpy(motifs.counts),
        descriptors=torch.from_numpy(quantum_numbers(graphs, hidden.ravel())),
    )


def _without(whole: MoleculeBatch, kept: torch.Tensor, counts: Counter[int]) -> MoleculeBatch:
    """One molecule's atoms in the rows `kept`, with the bonds between them and these counts."""
    place = torch.full((len(whole.atoms),), -1, dtype=torch.int64)
    place[kept] = torch.arange(len(kept))
    bonds = place[whole.bonds.long()]
    between = (bonds >= 0).all(1)
    ids = sorted(counts)
    return replace(
        whole,
        atom_offsets=torch.tensor([0, len(kept)]),
        atoms=whole.atoms[kept],
        bond_offsets=torch.tensor([0, int(between.sum())]),
        bonds=bonds[between].to(whole.bonds.dtype),
        bond_features=whole.bond_features[between],
        ecfp_offsets=torch.tensor([0, len(ids)]),
        ecfp_ids=torch.tensor(ids, dtype=whole.ecfp_ids.dtype),
        ecfp_counts=torch.tensor(
            [min(counts[bit], _MOST) for bit in ids], dtype=whole.ecfp_counts.dtype
        ),
    )
