"""Motifs: what a target may see of a molecule, one and two bonds around its polar and stereo atoms.

As FCFP4 (Rogers & Hahn 2010), but from a whole batch's arrays, with classes of atoms that need no
patterns. Differences: only around donors, acceptors, halogens, bases, acids and atoms with a label
R, S, E or Z, which is part of the motif; no radius 0, which the quantum numbers count; no merging
of environments with the same bonds, which would cost more than all the rest; 15 bits of hash.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from molmeta.chem.graphs import (
    AROMATIC,
    COLUMN,
    DOUBLE,
    ELEMENT,
    SINGLE,
    TRIPLE,
    Graphs,
    Neighbours,
)
from molmeta.chem.vocabulary import BOND_COLUMNS, MAX_CHARGE

_BITS: Final = 15
N_MOTIFS: Final = 1 << _BITS
"""Numbers of motifs; FS-Mol has some 8,000 different ones."""

_RADIUS: Final = 2
_AROMATIC_ALONE: Final = np.uint64(1 << 2)
"""The one class that makes no centre."""
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
# Of a neighbour's hash, by the order of the bond to it: odd numbers with many bits set.
_FACTORS: Final = np.array(
    [
        0xD6E8FEB86659FD93,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x27D4EB2F165667C5,
        0x9FB21C651E98DF25,
    ],
    dtype=np.uint64,
)


@dataclass(frozen=True, slots=True)
class MotifCounts:
    """The motifs of many molecules."""

    lengths: NDArray[np.int64]
    """[n]: how many different motifs each molecule has."""
    ids: NDArray[np.int16]
    """[lengths.sum()]: below `N_MOTIFS`, ascending within a molecule."""
    counts: NDArray[np.uint8]
    """[lengths.sum()], capped at 255."""


def motif_counts(
    graphs: Graphs, neighbours: Neighbours, masked: NDArray[np.bool_] | None = None
) -> MotifCounts:
    """The motifs of all molecules, in order.

    Args:
        graphs: of any molecules.
        neighbours: in these graphs.
        masked: [n_atoms]; not counted are motifs that one of these atoms is in. None for no atom.
    """
    order = graphs.bond_features[neighbours.bonds, 0]
    classes = _classes(graphs, neighbours, order)
    labels = _labels(graphs)
    bonded, firsts = neighbours.bonded, neighbours.firsts[neighbours.bonded]
    unseen = np.zeros(len(classes), dtype=bool) if masked is None else masked.copy()
    is_polar = (classes[bonded] & ~_AROMATIC_ALONE) != 0
    hashes = _mixed(classes + np.uint64(1))
    owners = graphs.molecule_of_atom * N_MOTIFS
    keys = [np.empty(0, dtype=np.int64)]
    for _ in range(_RADIUS if len(bonded) else 0):
        # A sum does not depend on the neighbours' order, so nothing needs sorting.
        around = np.add.reduceat(hashes[neighbours.there] * _FACTORS[order], firsts)
        hashes[bonded] = _mixed(hashes[bonded] * np.uint64(3) + around)
        unseen[bonded] |= np.logical_or.reduceat(unseen[neighbours.there], firsts)
        is_seen = ~unseen[bonded]
        polar = bonded[is_polar & is_seen]
        labelled = bonded[(labels[bonded] > 0) & is_seen]
        told = _mixed(hashes[labelled] * np.uint64(8) + labels[labelled])
        for centres, found in ((polar, hashes[polar]), (labelled, told)):
            keys.append(owners[centres] + (found >> np.uint64(64 - _BITS)).astype(np.int64))
    motifs, counts = np.unique(np.concatenate(keys), return_counts=True)
    return MotifCounts(
        lengths=np.bincount(motifs // N_MOTIFS, minlength=len(graphs.n_atoms)),
        ids=(motifs % N_MOTIFS).astype(np.int16),
        counts=np.minimum(counts, 255).astype(np.uint8),
    )


def _classes(
    graphs: Graphs, neighbours: Neighbours, order: NDArray[np.uint8]
) -> NDArray[np.uint64]:
    """Donor, acceptor, aromatic, halogen, basic, acidic: a bit each, [n_atoms]."""
    here, there = neighbours.here, neighbours.there
    element, degree, hydrogens, charge, aromatic = (
        graphs.atoms[:, COLUMN[name]]
        for name in ("element", "degree", "hydrogens", "charge", "aromatic")
    )

    def beside(bonds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        found = np.zeros(len(element), dtype=bool)
        found[here[bonds]] = True
        return found

    carbon, nitrogen, oxygen, sulfur = (element == ELEMENT[symbol] for symbol in "CNOS")
    halogen = np.isin(element, [ELEMENT[symbol] for symbol in ("F", "Cl", "Br", "I")])
    is_aromatic = aromatic == 1
    positive, negative = charge > MAX_CHARGE, charge < MAX_CHARGE
    double, single = order == DOUBLE, order == SINGLE

    unsaturated = beside(double | (order == TRIPLE) | (order == AROMATIC))
    oxo = beside(double & (oxygen | sulfur)[there])  # C=O, S=O, P=O
    withdrawn = beside(unsaturated[there])
    amide = nitrogen & beside(oxo[there])
    amidine = carbon & beside(double & nitrogen[there]) & beside(single & nitrogen[there])

    amine = nitrogen & ~is_aromatic & ~unsaturated
    basic = amine & ~withdrawn
    basic |= nitrogen & ~is_aromatic & beside(amidine[there]) & ~amide & ~beside(is_aromatic[there])
    basic |= positive & ~beside(negative[there])
    acidic = oxygen & ((hydrogens > 0) | negative) & beside((oxo & ~is_aromatic)[there])
    acidic |= negative & ~beside(positive[there])
    lone_pair = nitrogen & (hydrogens == 0) & ~positive
    lone_pair &= ~amide & ~(is_aromatic & (degree == 3)) & ~(amine & withdrawn)
    donor, acceptor = (nitrogen | oxygen) & (hydrogens > 0), oxygen | lone_pair
    bits = np.zeros(len(element), dtype=np.uint64)
    for place, kind in enumerate((donor, acceptor, is_aromatic, halogen, basic, acidic)):
        bits |= kind.astype(np.uint64) << np.uint64(place)
    return bits


def _labels(graphs: Graphs) -> NDArray[np.uint64]:
    """0, or one number for each of R, S, E and Z: [n_atoms]; an atom's own before its bond's."""
    labels = np.zeros(len(graphs.atoms), dtype=np.uint64)
    stereo = graphs.bond_features[:, 1]
    for kind in range(1, BOND_COLUMNS["stereo"]):
        labels[graphs.bonds[stereo == kind]] = 2 + kind
    handedness = graphs.atoms[:, COLUMN["chirality"]]
    return np.where(handedness > 0, handedness, labels).astype(np.uint64)


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _GOLDEN
    return hashes ^ (hashes >> np.uint64(29))
