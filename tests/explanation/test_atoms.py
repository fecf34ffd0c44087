"""Atom shares: where they should be on made-up models, and faithful on the shipped one."""

import numpy as np
import pytest
import torch
from torch import Tensor

from molmeta.assays.support import build_support
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.explanation import atoms as atoms_module
from molmeta.explanation.atoms import atom_shares
from molmeta.explanation.explain import explain
from molmeta.explanation.masking import masked
from molmeta.target import TargetModel, adapt_target
from tests.molecules import DRUGS
from tests.tiny_model import LIKE_ACTIVES, support_set, tiny_checkpoint


def read(smiles: str) -> Molecule:
    molecule = read_smiles(smiles)
    assert isinstance(molecule, Molecule)
    return molecule


@pytest.fixture
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set()).without_memory()


def test_a_model_that_counts_chlorines_is_explained_by_the_chlorine(
    target: TargetModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    chlorine = 10  # its place in the vocabulary of elements

    def count(molecules: MoleculeBatch) -> Tensor:
        found = (molecules.atoms[:, 0] == chlorine).float()
        return torch.zeros(len(molecules)).index_add(0, molecules.molecule_of_atom(), found)

    monkeypatch.setattr(target, "merits", count)
    molecule = read("Clc1ccc(CCCCCN)cc1")
    found = atom_shares(target, molecule)
    assert found.answer == 1.0
    symbols = [atom.GetSymbol() for atom in molecule.mol.GetAtoms()]
    # What adds up over atoms is told apart exactly.
    expected = [float(symbol == "Cl") for symbol in symbols]
    assert found.shares == pytest.approx(expected, abs=1e-9)


def test_an_atom_has_the_same_share_however_the_molecule_is_written(target: TargetModel) -> None:
    molecules = [read(text) for text in ("CCOc1ccccc1N", "Nc1ccccc1OCC")]
    one, other = (atom_shares(target, molecule) for molecule in molecules)
    first, second = (
        np.array(found.shares)[np.argsort(molecule.ranks)]
        for found, molecule in zip((one, other), molecules, strict=True)
    )
    assert first == pytest.approx(second, abs=1e-6)
    assert one.answer == pytest.approx(other.answer, abs=1e-6)


def test_large_molecules_are_masked_in_passes_with_the_same_result(
    target: TargetModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    molecule = read(LIKE_ACTIVES)
    together = atom_shares(target, molecule)
    monkeypatch.setattr(atoms_module, "_ATOMS_AT_ONCE", 25)
    assert atom_shares(target, molecule).shares == pytest.approx(together.shares, abs=1e-6)


def test_atoms_are_explained_without_the_memory() -> None:
    checkpoint = load_checkpoint(shipped_model_path())
    assert checkpoint.learner.memory is not None
    support = support_set()
    with_memory = adapt_target(checkpoint, support)
    structural = adapt_target(load_checkpoint(shipped_model_path(), memory=False), support)
    drug = DRUGS[3]
    (one,) = explain(with_memory, [drug])
    assert one.atoms is not None
    assert one.atoms.answer == pytest.approx(structural.score([drug])[0].logit, abs=1e-6)
    assert one.atoms.answer != pytest.approx(one.scored.logit, abs=1e-3)
    assert with_memory.checkpoint.learner.memory is not None


def test_deleting_the_highlighted_atoms_moves_the_score_more_than_deleting_others() -> None:
    # Drugs labelled by a basic amine, and others to explain: the shipped model, real compounds.
    checkpoint = load_checkpoint(shipped_model_path(), memory=False)
    amine = [int("CN(C)" in smiles or "N1CC" in smiles) for smiles in DRUGS]
    support = build_support(DRUGS[:32], amine[:32])
    target = adapt_target(checkpoint, support)
    generator = np.random.default_rng(0)
    raised, lowered, at_random = [], [], []
    for smiles in DRUGS[32:]:
        molecule = read(smiles)
        n = molecule.mol.GetNumAtoms()
        k = max(2, n // 5)
        found = atom_shares(target, molecule)
        order = np.argsort(found.shares)
        masks = [order[-k:], order[:k], *(generator.permutation(n)[:k] for _ in range(8))]
        answers = target.merits(masked(molecule, [mask.tolist() for mask in masks]))
        lost = float(target.merits(featurize([molecule]))) - answers.double()
        raised.append(float(lost[0]))
        lowered.append(float(lost[1]))
        at_random.append(float(lost[2:].mean()))
    assert np.mean(np.array(raised) > at_random) > 0.9
    assert np.mean(np.array(lowered) < at_random) > 0.9
    assert np.mean(raised) > np.mean(at_random) + 0.15
    assert np.mean(lowered) < np.mean(at_random) - 0.2


def test_explaining_changes_nothing_of_the_target(target: TargetModel) -> None:
    before = target.score([LIKE_ACTIVES])
    explain(target, [LIKE_ACTIVES])
    assert target.score([LIKE_ACTIVES]) == before
