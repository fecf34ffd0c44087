"""Fingerprints against RDKit's other interfaces and hand numbers."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molmeta.chem.fingerprints import ecfp_counts


def counts(text: str) -> list[int]:
    return sorted(ecfp_counts([Chem.MolFromSmiles(text)]).counts.tolist())


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
        ecfp = ecfp_counts([molecule.mol])
        ids, found = ecfp.ids, ecfp.counts
        assert ids.dtype == np.int32
        assert found.dtype == np.uint8
        assert (np.diff(ids.astype(np.int64)) > 0).all()
        expected = {bit: len(atoms) for bit, atoms in places.items()}
        assert dict(zip(ids.view(np.uint32).tolist(), found.tolist(), strict=True)) == expected


def test_handedness_does_not_enter_the_fingerprint():
    left, right = (ecfp_counts([Chem.MolFromSmiles(t)]) for t in ("C[C@H](N)O", "C[C@@H](N)O"))
    assert np.array_equal(left.ids, right.ids)


def test_counts_stop_at_255():
    # 300 methylenes alike, and fewer of each larger surrounding because the ends differ.
    assert counts("C" * 302)[-1] == 255


def test_many_molecules_have_the_counts_of_each_alone(molecules):
    together = ecfp_counts([molecule.mol for molecule in molecules])
    alone = [ecfp_counts([molecule.mol]) for molecule in molecules]
    assert together.lengths.tolist() == [len(one.ids) for one in alone]
    assert np.array_equal(together.ids, np.concatenate([one.ids for one in alone]))
    assert np.array_equal(together.counts, np.concatenate([one.counts for one in alone]))
