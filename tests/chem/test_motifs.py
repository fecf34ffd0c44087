"""Motifs: hand counts, classes of atoms, and independence of how a molecule is written."""

from collections.abc import Sequence

import numpy as np
import pytest
from rdkit import Chem

from molmeta.chem.graphs import Neighbours, graphs_of
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.motifs import N_MOTIFS, MotifCounts, motif_counts


def motifs_of(molecules: Sequence[Molecule], masked: list[bool] | None = None) -> MotifCounts:
    graphs = graphs_of(molecules)
    hidden = None if masked is None else np.array(masked)
    return motif_counts(graphs, Neighbours.of(graphs), hidden)


def motifs(text: str) -> dict[int, int]:
    molecule = read_smiles(text)
    assert isinstance(molecule, Molecule)
    found = motifs_of([molecule])
    return dict(zip(found.ids.tolist(), found.counts.tolist(), strict=True))


@pytest.mark.parametrize("text", ["C", "O", "CCCC", "c1ccccc1", "C[Si](C)(C)C"])
def test_what_has_no_polar_atom_with_a_neighbour_has_no_motif(text: str) -> None:
    assert motifs(text) == {}


def test_an_alcohol_has_one_motif_of_each_radius_and_a_diol_has_both_twice() -> None:
    assert sorted(motifs("CCCCO").values()) == [1, 1]
    assert sorted(motifs("OCCCCO").values()) == [2, 2]
    assert motifs("OCCCCO").keys() == motifs("CCCCO").keys()


def test_counts_stop_at_255() -> None:
    assert max(motifs("C(O)" * 300).values()) == 255


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CCF", "CCBr"),  # halogens
        ("CCO", "CCCO"),  # carbons look alike
        ("COc1ccccc1", "COc1ccccc1C"),  # what lies three bonds away
    ],
)
def test_atoms_of_one_class_make_one_motif(one: str, other: str) -> None:
    assert motifs(one) == motifs(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CCN", "CCO"),  # an amine is basic
        ("CC(=O)N", "CCN"),  # an amide is not
        ("CC(=O)O", "CCO"),  # an acid is no alcohol
        ("CNC", "CN(C)C"),  # only one donates
        ("c1cc[nH]c1", "c1ccncc1"),
    ],
)
def test_atoms_of_different_classes_make_different_motifs(one: str, other: str) -> None:
    assert not motifs(one).keys() & motifs(other).keys()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C[C@H](N)c1ccccc1", "C[C@@H](N)c1ccccc1"),
        ("C/C=C/C(=O)O", "C/C=C\\C(=O)O"),
        ("C[C@H](N)c1ccccc1", "CC(N)c1ccccc1"),
    ],
)
def test_stereoisomers_share_motifs_but_those_of_their_labelled_atoms(one: str, other: str) -> None:
    first, second = motifs(one), motifs(other)
    assert first.keys() & second.keys()
    assert first.keys() - second.keys()
    flat = motifs(Chem.MolToSmiles(Chem.MolFromSmiles(one), isomericSmiles=False))
    assert flat.items() <= first.items()


def test_motifs_do_not_depend_on_the_writing(molecules: Sequence[Molecule]) -> None:
    for molecule in molecules:
        expected = motifs(molecule.smiles)
        for text in Chem.MolToRandomSmilesVect(molecule.mol, 5, randomSeed=7):
            assert motifs(text) == expected, text


def test_many_molecules_have_the_motifs_of_each_alone(molecules: Sequence[Molecule]) -> None:
    together = motifs_of(molecules)
    alone = [motifs_of([molecule]) for molecule in molecules]
    assert together.lengths.tolist() == [len(one.ids) for one in alone]
    assert np.array_equal(together.ids, np.concatenate([one.ids for one in alone]))
    assert np.array_equal(together.counts, np.concatenate([one.counts for one in alone]))
    assert together.ids.min() >= 0
    assert together.ids.max() < N_MOTIFS


def test_no_molecules_have_no_motifs() -> None:
    found = motifs_of([])
    assert [len(found.lengths), len(found.ids), len(found.counts)] == [0, 0, 0]


def test_a_masked_atom_takes_along_the_motifs_that_it_is_in() -> None:
    molecule = read_smiles("OCCCCCCO")
    assert isinstance(molecule, Molecule)
    whole = motifs_of([molecule])
    assert whole.counts.tolist() == [2, 2]
    distances = Chem.GetDistanceMatrix(molecule.mol)
    ranks = list(molecule.ranks)
    for atom in range(molecule.mol.GetNumAtoms()):
        masked = [False] * len(ranks)
        masked[ranks[atom]] = True
        found = motifs_of([molecule], masked)
        oxygens = [a.GetIdx() for a in molecule.mol.GetAtoms() if a.GetSymbol() == "O"]
        expected = sum(distances[o][atom] > radius for o in oxygens for radius in (1, 2))
        assert found.counts.sum() == expected


def test_nothing_is_left_where_every_atom_is_masked(molecules: Sequence[Molecule]) -> None:
    molecule = molecules[0]
    n_atoms = molecule.mol.GetNumAtoms()
    assert motifs_of([molecule], [True] * n_atoms).ids.size == 0
    assert np.array_equal(motifs_of([molecule], [False] * n_atoms).ids, motifs_of([molecule]).ids)
