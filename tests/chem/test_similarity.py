"""Tanimoto similarity and folded counts against RDKit."""

import numpy as np
import pytest
import torch
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molmeta.chem.features import featurize
from molmeta.chem.intake import read_smiles
from molmeta.chem.similarity import folded_counts, tanimoto


def batch_of(*texts: str):
    return featurize([read_smiles(text) for text in texts])


def test_similarity_is_rdkits_on_sparse_counts(batch, molecules):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    prints = [generator.GetSparseCountFingerprint(molecule.mol) for molecule in molecules]
    expected = np.array([DataStructs.BulkTanimotoSimilarity(one, prints) for one in prints])
    found = tanimoto(batch, batch)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_ethane_and_propane_by_hand():
    # Ethane: 2 CH3, 1 pair. Propane: 2 CH3, 1 CH2, 2 ends seen from CH3, 1 whole.
    assert tanimoto(batch_of("CC"), batch_of("CCC")).item() == pytest.approx(2 / 7)


def test_a_molecule_is_wholly_like_itself(batch):
    assert torch.equal(tanimoto(batch, batch).diagonal(), torch.ones(len(batch)))


def test_similarity_is_the_same_both_ways_to_the_last_bit(batch):
    left, right = batch.gather(torch.arange(20)), batch.gather(torch.arange(20, len(batch)))
    assert torch.equal(tanimoto(left, right), tanimoto(right, left).T)


def test_similarity_does_not_depend_on_the_molecules_beside(batch):
    left = batch.gather(torch.arange(30))
    together = tanimoto(left, batch)
    for i in (0, 40, 100):
        alone = tanimoto(left, batch.gather(torch.tensor([i])))
        assert torch.equal(alone[:, 0], together[:, i])


def test_nothing_shared_is_a_similarity_of_0():
    assert tanimoto(batch_of("CC"), batch_of("c1ccsc1")).item() == 0.0


@pytest.mark.parametrize(("n_left", "n_right"), [(0, 3), (3, 0), (0, 0)])
def test_no_molecules_give_an_empty_matrix(batch, n_left, n_right):
    left, right = batch.gather(torch.arange(n_left)), batch.gather(torch.arange(n_right))
    assert tanimoto(left, right).shape == (n_left, n_right)


@pytest.mark.parametrize("n_bits", [64, 2048])
def test_folded_counts_are_rdkits(batch, molecules, n_bits):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=n_bits)
    expected = [generator.GetCountFingerprintAsNumPy(molecule.mol) for molecule in molecules]
    np.testing.assert_array_equal(folded_counts(batch, n_bits), np.array(expected))


def test_folding_no_molecules_gives_no_rows(batch):
    assert folded_counts(batch.gather(torch.arange(0)), 64).shape == (0, 64)
