"""Drugs with and without a halogen: a rule that fingerprints can tell."""

import numpy as np
import pytest
import torch

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.intake import Molecule

N_SUPPORT = 30


@pytest.fixture(scope="module")
def labels(molecules: list[Molecule]) -> np.ndarray:
    """Whether each drug has a halogen."""
    halogens = {"F", "Cl", "Br", "I"}
    return np.array(
        [any(a.GetSymbol() in halogens for a in m.mol.GetAtoms()) for m in molecules[:97]], float
    )


@pytest.fixture(scope="module")
def support(drugs: MoleculeBatch, labels: np.ndarray) -> LabeledMolecules:
    rows = torch.arange(N_SUPPORT)
    return LabeledMolecules(drugs.gather(rows), torch.tensor(labels[:N_SUPPORT]).float())


@pytest.fixture(scope="module")
def query(drugs: MoleculeBatch) -> MoleculeBatch:
    return drugs.gather(torch.arange(N_SUPPORT, len(drugs)))
