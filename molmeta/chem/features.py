"""Molecules to arrays: graph, fingerprint, motifs and descriptors of each, in one batch."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.fingerprints import ecfp_counts
from molmeta.chem.graphs import Neighbours, graphs_of
from molmeta.chem.identity import identity_keys
from molmeta.chem.intake import Molecule
from molmeta.chem.motifs import motif_counts
from molmeta.chem.quantum_numbers import quantum_numbers


def featurize(molecules: Sequence[Molecule]) -> MoleculeBatch:
    """The arrays of `molecules`, in order; an empty sequence gives a batch of none."""
    graphs = graphs_of(molecules)
    owners = graphs.molecule_of_atom[graphs.bonds[:, 0]]
    starts = graphs.n_atoms.cumsum() - graphs.n_atoms
    neighbours = Neighbours.of(graphs)
    ecfp = ecfp_counts(graphs, neighbours)
    motifs = motif_counts(graphs, neighbours)
    return MoleculeBatch(
        atom_offsets=_offsets(graphs.n_atoms),
        atoms=torch.from_numpy(graphs.atoms),
        bond_offsets=_offsets(np.bincount(owners, minlength=len(molecules))),
        bonds=torch.from_numpy((graphs.bonds - starts[owners, None]).astype(np.int16)),
        bond_features=torch.from_numpy(graphs.bond_features),
        ecfp_offsets=_offsets(ecfp.lengths),
        ecfp_ids=torch.from_numpy(ecfp.ids),
        ecfp_counts=torch.from_numpy(ecfp.counts),
        motif_offsets=_offsets(motifs.lengths),
        motif_ids=torch.from_numpy(motifs.ids),
        motif_counts=torch.from_numpy(motifs.counts),
        descriptors=torch.from_numpy(quantum_numbers(graphs)),
        keys=torch.from_numpy(identity_keys(molecules, graphs)),
    )


def _offsets(lengths: NDArray[np.int64]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([[0], lengths.cumsum()]))
