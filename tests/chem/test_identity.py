"""Identity keys: equal for every writing of a molecule, different for different molecules."""

import random

import pytest
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from tests.molecules import DRUGS, MOLECULES, key_of

APART = [
    ("c1ccccc1", "C1CCCCC1"),
    ("C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1"),  # every atom has the same neighbours' neighbours
    ("C[C@H](F)Cl", "C[C@@H](F)Cl", "CC(F)Cl"),
    ("F/C=C/F", "F/C=C\\F", "FC=CF"),
    ("C[C@H]1CC[C@@H](O)CC1", "C[C@H]1CC[C@H](O)CC1", "CC1CCC(O)CC1"),
    ("C", "[12CH4]", "[13CH4]", "[2H]C", "[3H]C"),
    ("CC(=O)C", "CC(O)=C"),
    ("C[NH+](C)C", "CN(C)C", "C[N+](C)(C)C"),
    ("[CH3]", "C"),
]


@pytest.mark.parametrize("texts", APART, ids=lambda texts: texts[0])
def test_different_molecules_have_different_keys(texts: tuple[str, ...]) -> None:
    known = {
        molecule.smiles: key_of(text)
        for text in texts
        if isinstance(molecule := read_smiles(text), Molecule)
    }
    assert len(known) >= 2
    assert len(set(known.values())) == len(known)


def test_a_key_and_a_canonical_smiles_name_the_same_molecules() -> None:
    keys: dict[str, set[int]] = {}
    for text in MOLECULES:
        for writing in Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(text), 4, randomSeed=3):
            molecule = read_smiles(writing)
            assert isinstance(molecule, Molecule)
            keys.setdefault(molecule.smiles, set()).update(featurize([molecule]).keys.tolist())
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert len(set.union(*keys.values())) == len(keys)


@pytest.mark.parametrize(
    "smiles",
    [
        "C12C3C4C5C1C6C7C2C8C3C9C4C%10C5C6C%11C7C8C9C%10%11",  # dodecahedrane
        "C[C@@H]1N2N1[C@@H](N3[C@H](N3[C@@H]2C)C)C",
        "c1ccc2c(c1)[C@@H]1c3c([C@H]2[C@@H]2c4c([C@H]1c1c2cccc1)cccc4)cccc3",
        "CC(=O)O[C@@]1([C@@H]2CC[C@H]1CC2)c1ccccc1",
        "C1CC[C@H]2[C@H](C1)[C@H]1CCC[C@@H]3[C@H]1[C@@H]2CCC3",
    ],
)
def test_the_key_of_a_cage_does_not_depend_on_how_it_is_written(smiles: str) -> None:
    writings = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), 24, randomSeed=5)
    molecules = [m for m in map(read_smiles, writings) if isinstance(m, Molecule)]
    assert len({molecule.smiles for molecule in molecules}) == 1
    assert len(set(featurize(molecules).keys.tolist())) == 1
    assert all(featurize([m]).atoms.equal(featurize(molecules[:1]).atoms) for m in molecules)


def test_every_stereoisomer_has_a_key_of_its_own() -> None:
    for text in ("CC(O)C(N)C(F)Cl", "OC1C(O)C(O)C(O)C(O)C1O", "CC=CC(C)C=CC", "CC(O)C(O)C(C)O"):
        isomers = {
            Chem.MolToSmiles(mol) for mol in EnumerateStereoisomers(Chem.MolFromSmiles(text))
        }
        read = {
            molecule.smiles
            for text in isomers
            if isinstance(molecule := read_smiles(text), Molecule)
        }
        assert len(read) > 3
        assert len({key_of(smiles) for smiles in read}) == len(read)


def test_a_key_does_not_depend_on_the_other_molecules() -> None:
    molecules = [read_smiles(text) for text in DRUGS[:20]]
    read = [molecule for molecule in molecules if isinstance(molecule, Molecule)]
    together = dict(zip(DRUGS, featurize(read).keys.tolist(), strict=False))
    random.Random(0).shuffle(read)
    assert sorted(featurize(read).keys.tolist()) == sorted(together.values())
    assert all(key_of(text) == key for text, key in together.items())


def test_keys_are_the_same_wherever_they_are_computed() -> None:
    # A model file and an index hold them, so that another key would be another molecule.
    assert key_of("CCO") == key_of("OCC") == -8194115470199628570
    assert key_of("C[C@H](F)Cl") == 3942933732754746210


def test_keys_fill_64_bits() -> None:
    keys = [key_of("C" * n) for n in range(1, 200)]
    assert len(set(keys)) == 199
    assert min(keys) < -(2**62) < 2**62 < max(keys)
    assert all(60 < sum(key >> bit & 1 for key in keys) < 140 for bit in range(63))
