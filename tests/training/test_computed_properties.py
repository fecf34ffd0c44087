"""Computed properties: those of RDKit, on one scale, and no number where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import Descriptors
from scipy.stats import spearmanr

from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError
from molmeta.training.computed_properties import N_PROPERTIES, computed_properties
from tests.molecules import DRUGS


@pytest.fixture
def store(learnable: AssayStore) -> AssayStore:
    return replace(learnable, smiles=tuple(DRUGS))


def test_every_property_has_one_scale(store: AssayStore) -> None:
    found = computed_properties(store, torch.arange(len(DRUGS)))
    assert found.shape == (len(DRUGS), N_PROPERTIES)
    torch.testing.assert_close(found.mean(0), torch.zeros(N_PROPERTIES), atol=1e-5, rtol=0)
    spread = found.std(0, correction=0)
    varying = spread > 0  # some kind of surface is in no drug
    assert varying.sum() > 35
    torch.testing.assert_close(spread[varying], torch.ones(int(varying.sum())))


def test_they_rank_molecules_as_their_descriptors_do(store: AssayStore) -> None:
    found = computed_properties(store, torch.arange(len(DRUGS))).numpy()
    mols = [Chem.MolFromSmiles(text) for text in DRUGS]
    names = ("MolLogP", "MolMR", "TPSA", "LabuteASA", "FractionCSP3", "Kappa1", "SlogP_VSA5")
    for name, column in zip(names, (0, 1, 2, 3, 4, 5, 14), strict=True):
        expected = np.array([getattr(Descriptors, name)(mol) for mol in mols])
        # Ends are cut off, and salts of the texts are no part of the molecules.
        assert spearmanr(found[:, column], expected).statistic > 0.98, name


def test_what_was_not_asked_for_or_cannot_be_read_has_no_number(store: AssayStore) -> None:
    texts = list(DRUGS)
    texts[3] = "C1CC"
    broken = replace(store, smiles=tuple(texts))
    found = computed_properties(broken, torch.arange(20))
    known = ~found.isnan().any(1)
    assert known.nonzero()[:, 0].tolist() == [*range(3), *range(4, 20)]


def test_a_store_without_smiles_is_refused(learnable: AssayStore) -> None:
    with pytest.raises(ConfigError, match="need the SMILES"):
        computed_properties(learnable, torch.arange(4))
