"""Fingerprints against RDKit's other interfaces and hand numbers."""

from collections.abc import Sequence

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molmeta.chem.fingerprints import EcfpCounts, ecfp_counts
from molmeta.chem.graphs import Neighbours, graphs_of
from molmeta.chem.intake import Molecule, read_smiles


def counts_of(molecules: Sequence[Molecule]) -> EcfpCounts:
    graphs = graphs_of(molecules)
    return ecfp_counts(graphs, Neighbours.of(graphs))


def ecfp_of(text: str) -> EcfpCounts:
    return counts_of([read_smiles(text)])


def counts(text: str) -> list[int]:
    return sorted(ecfp_of(text).counts.tolist())


def test_methane_has_one_environment():
    assert counts("C") == [1]


def test_ethane_has_two_methyls_and_one_pair():
    assert counts("CC") == [1, 2]


def test_benzene_has_six_atoms_and_their_two_larger_surroundings():
    assert counts("c1ccccc1") == [6, 6, 6]


def rdkit_counts(mol: Chem.Mol) -> dict[int, int]:
    """Hash -> count, by the fingerprint that records its atoms."""
    output = rdFingerprintGenerator.AdditionalOutput()
    output.AllocateBitInfoMap()
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    generator.GetSparseFingerprint(mol, additionalOutput=output)
    return {bit: len(atoms) for bit, atoms in output.GetBitInfoMap().items()}


def test_environments_are_those_of_the_fingerprint_that_records_its_atoms(molecules):
    for molecule in molecules:
        ecfp = counts_of([molecule])
        ids, found = ecfp.ids, ecfp.counts
        assert ids.dtype == np.int32
        assert found.dtype == np.uint8
        assert (np.diff(ids.astype(np.int64)) > 0).all()
        expected = rdkit_counts(molecule.mol)
        assert dict(zip(ids.view(np.uint32).tolist(), found.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("CO", "C=C", "C1CC1", "CC(C)(C)C", "FS(F)(F)(F)(F)F", "[2H]C([2H])[2H]"),
        *("C1C2C1C2", "C12C3C1C23", "C123CC1(C2)C3", "C12C3C4C1C5C2C3C45"),  # rings of three, cages
        "C1CC1" + "C1CC1" * 40,  # more bonds than a word has bits, and many alike
        "c1ccc2c(c1)" + "CCCCCCCCCC" * 12 + "CCCCC2",
        "[Na]OC1=CC=CN=C1C#N",
    ],
)
def test_environments_of_the_same_bonds_are_counted_once_as_rdkit_counts_them(text):
    molecule = read_smiles(text)
    assert isinstance(molecule, Molecule)
    ecfp = counts_of([molecule])
    found = dict(zip(ecfp.ids.view(np.uint32).tolist(), ecfp.counts.tolist(), strict=True))
    assert found == rdkit_counts(molecule.mol)


def test_handedness_does_not_enter_the_fingerprint():
    left, right = map(ecfp_of, ("C[C@H](N)O", "C[C@@H](N)O"))
    assert np.array_equal(left.ids, right.ids)


def test_counts_stop_at_255():
    # 300 methylenes alike, and fewer of each larger surrounding because the ends differ.
    assert counts("C" * 302)[-1] == 255


def test_many_molecules_have_the_counts_of_each_alone(molecules):
    together = counts_of(molecules)
    alone = [counts_of([molecule]) for molecule in molecules]
    assert together.lengths.tolist() == [len(one.ids) for one in alone]
    assert np.array_equal(together.ids, np.concatenate([one.ids for one in alone]))
    assert np.array_equal(together.counts, np.concatenate([one.counts for one in alone]))


def test_no_molecules_have_no_counts():
    ecfp = counts_of([])
    assert [len(ecfp.lengths), len(ecfp.ids), len(ecfp.counts)] == [0, 0, 0]
