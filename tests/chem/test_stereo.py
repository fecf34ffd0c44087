"""Keys without stereo, against RDKit's own enumeration and comparison of stereoisomers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions

from molmeta.chem import stereo as stereo_module
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.stereo import keys_without_stereo, without_stereo
from tests.molecules import DRUGS, MOLECULES


def read(text: str) -> Molecule:
    molecule = read_smiles(text)
    assert isinstance(molecule, Molecule)
    return molecule


def keys(*texts: str) -> list[int]:
    (found,) = keys_without_stereo([featurize([read(text) for text in texts])], [texts])
    return [int(key) for key in found]


def flat_by_rdkit(text: str) -> str:
    mol = Chem.MolFromSmiles(text)
    Chem.RemoveStereochemistry(mol)
    return Chem.CanonSmiles(Chem.MolToSmiles(Chem.RemoveHs(mol)))


ISOMERS = [
    Chem.MolToSmiles(isomer)
    for text in DRUGS
    for isomer in EnumerateStereoisomers(
        Chem.MolFromSmiles(flat_by_rdkit(text)), StereoEnumerationOptions(maxIsomers=4)
    )
]


def test_keys_agree_just_where_rdkit_finds_the_same_flat_molecule():
    texts = [*DRUGS, *ISOMERS]
    flat = [flat_by_rdkit(text) for text in texts]
    assert len(set(texts)) - len(set(flat)) > 100
    found = keys(*texts)
    assert len(set(zip(found, flat, strict=True))) == len(set(found)) == len(set(flat))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("C[C@H](F)Cl", "C[C@@H](F)Cl"),
        ("C[C@H](F)Cl", "CC(F)Cl"),
        ("F/C=C/F", "F/C=C\\F"),
        ("[H]/N=C(/C)c1ccccc1", "CC(=N)c1ccccc1"),
        ("[H]/N=C(/C)[C@H](F)Cl", "CC(=N)[C@@H](F)Cl"),
        ("C[C@H](F)Cl |&1:1|", "C[C@@H](F)Cl"),
    ],
)
def test_molecules_that_differ_in_stereo_alone_share_a_key(left, right):
    assert len(set(keys(left, right))) == 1
    assert len({int(key) for key in featurize([read(left), read(right)]).keys}) == 2


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("C[C@H](F)Cl", "C[C@H](F)Br"),
        ("CC(F)Cl", "[13CH3]C(F)Cl"),
        # The same ECFP counts and descriptors, and another constitution.
        ("CCCCCCCCCC(CCCCCC)[C@H](F)Cl", "CCCCCCCCC(CCCCCCC)[C@H](F)Cl"),
        ("CCCCCCCCCCNCCCCCCCC[C@H](F)Cl", "CCCCCCCCCNCCCCCCCCC[C@H](F)Cl"),
    ],
)
def test_other_molecules_keep_apart(left, right):
    assert len(set(keys(left, right))) == 2


def test_keys_agree_between_batches():
    one, other = ["C[C@H](F)Cl", "CCO"], ["CCN", "C[C@@H](F)Cl"]
    batches = [featurize([read(text) for text in texts]) for texts in (one, other)]
    found, others = keys_without_stereo(batches, [one, other])
    assert found[0] == others[1]
    assert found[1] == batches[0].keys[1]


def test_molecules_that_are_like_no_other_are_not_read_again(monkeypatch):
    texts = list(dict.fromkeys(flat_by_rdkit(text) for text in DRUGS))[:20]
    texts += ["C[C@H](N)C(=O)O"]
    batch = featurize([read(text) for text in texts])

    def not_again(text: str) -> None:
        raise AssertionError(f"{text} was read again")

    monkeypatch.setattr(stereo_module, "read_smiles", not_again)
    (found,) = keys_without_stereo([batch], [texts])
    assert found.tolist() == batch.keys.tolist()


@given(st.sampled_from(MOLECULES))
def test_a_flat_molecule_stays_the_same(text):
    flat = without_stereo(read(text))
    assert not set("@/\\") & set(flat.smiles)
    assert without_stereo(flat).smiles == flat.smiles
