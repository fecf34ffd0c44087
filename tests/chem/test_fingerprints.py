"""Fingerprints and descriptors against RDKit's other interfaces and hand numbers."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molmeta.chem.fingerprints import descriptors, ecfp_counts
from molmeta.chem.vocabulary import N_DESCRIPTORS

CARBON, FLUORINE, CHLORINE, SULFUR, PHOSPHORUS = 0, 1, 2, 5, 6
ACYCLIC_N, CYCLIC_N, ACYCLIC_O, CYCLIC_O, HEAVY_ATOMS = 7, 8, 9, 10, 11


def counts(text: str) -> list[int]:
    return sorted(ecfp_counts(Chem.MolFromSmiles(text))[1].tolist())


def test_methane_has_one_environment():
    assert counts("C") == [1]


def test_ethane_has_two_methyls_and_one_pair():
    assert counts("CC") == [1, 2]


def test_benzene_has_six_atoms_and_their_two_larger_surroundings():
    assert counts("c1ccccc1") == [6, 6, 6]


def test_environments_are_those_of_the_fingerprint_that_records_its_atoms(molecules):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    for molecule in molecules:
        output = rdFingerprintGenerator.AdditionalOutput()
        output.AllocateBitInfoMap()
        generator.GetSparseFingerprint(molecule.mol, additionalOutput=output)
        places = output.GetBitInfoMap()
        ids, found = ecfp_counts(molecule.mol)
        assert ids.dtype == np.int32
        assert found.dtype == np.uint8
        assert (np.diff(ids.astype(np.int64)) > 0).all()
        expected = {bit: len(atoms) for bit, atoms in places.items()}
        assert dict(zip(ids.view(np.uint32).tolist(), found.tolist(), strict=True)) == expected


def test_handedness_does_not_enter_the_fingerprint():
    left, right = (ecfp_counts(Chem.MolFromSmiles(t)) for t in ("C[C@H](N)O", "C[C@@H](N)O"))
    assert np.array_equal(left[0], right[0])


def test_counts_stop_at_255():
    # 300 methylenes alike, and fewer of each larger surrounding because the ends differ.
    assert counts("C" * 302)[-1] == 255


def test_descriptors_of_aspirin_by_hand():
    values = descriptors(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    assert values.shape == (N_DESCRIPTORS,)
    assert values.dtype == np.int16
    assert values[[CARBON, ACYCLIC_O, CYCLIC_O, HEAVY_ATOMS]].tolist() == [9, 4, 0, 13]


def test_descriptors_of_zidovudine_tell_ring_atoms_from_others():
    values = descriptors(
        Chem.MolFromSmiles("Cc1cn([C@H]2C[C@H](N=[N+]=[N-])[C@@H](CO)O2)c(=O)[nH]c1=O")
    )
    found = values[[CARBON, ACYCLIC_N, CYCLIC_N, ACYCLIC_O, CYCLIC_O, HEAVY_ATOMS]]
    assert found.tolist() == [10, 3, 2, 3, 1, 19]


def test_descriptors_are_never_negative(batch):
    # The encoder takes their logarithm.
    assert (batch.descriptors >= 0).all()
