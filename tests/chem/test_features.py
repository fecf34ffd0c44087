"""Atom and bond columns against hand-checked molecules and RDKit's own atoms and bonds."""

import random

import numpy as np
import pytest
import torch
from rdkit import Chem

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import SUPPORTED_ELEMENTS, Molecule, read_smiles
from molmeta.chem.vocabulary import ATOM_COLUMNS, BOND_COLUMNS, ELEMENTS
from tests.molecules import MOLECULES

CARBON, NITROGEN, OXYGEN = (ELEMENTS.index(symbol) for symbol in ("C", "N", "O"))
NEUTRAL, CATION, ANION = 2, 3, 1
SINGLE, DOUBLE, TRIPLE, AROMATIC = 0, 1, 2, 3
R_CENTRE, S_CENTRE = 1, 2
E_BOND, Z_BOND = 1, 2


def arrays(text: str) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Atoms, bonds and features of bonds, atoms in the order of the text."""
    molecule = read_smiles(text)
    one = featurize([molecule])
    order = np.argsort(molecule.ranks)
    found = zip(np.sort(order[one.bonds]).tolist(), one.bond_features.tolist(), strict=True)
    bonds = sorted(found)
    return (
        one.atoms[list(molecule.ranks)].tolist(),
        [ends for ends, _ in bonds],
        [kind for _, kind in bonds],
    )


def test_methane_is_one_atom_without_bonds():
    assert arrays("C") == ([[CARBON, 0, 4, NEUTRAL, 0, 0, 0]], [], [])


def test_ethanol_by_hand():
    atoms, bonds, kinds = arrays("CCO")
    assert atoms == [
        [CARBON, 1, 3, NEUTRAL, 0, 0, 0],
        [CARBON, 2, 2, NEUTRAL, 0, 0, 0],
        [OXYGEN, 1, 1, NEUTRAL, 0, 0, 0],
    ]
    assert bonds == [[0, 1], [1, 2]]
    assert kinds == [[SINGLE, 0], [SINGLE, 0]]


def test_an_aromatic_cation_by_hand():
    atoms, bonds, kinds = arrays("C[n+]1ccccc1")
    assert atoms == [
        [CARBON, 1, 3, NEUTRAL, 0, 0, 0],
        [NITROGEN, 3, 0, CATION, 1, 1, 0],
        *[[CARBON, 2, 1, NEUTRAL, 1, 1, 0]] * 5,
    ]
    assert bonds == [[0, 1], [1, 2], [1, 6], [2, 3], [3, 4], [4, 5], [5, 6]]
    assert kinds == [[SINGLE, 0], *[[AROMATIC, 0]] * 6]


def test_double_and_triple_bonds_and_a_pair_of_charges_by_hand():
    atoms, _, kinds = arrays("C=C(C#N)[N+](=O)[O-]")
    assert atoms == [
        [CARBON, 1, 2, NEUTRAL, 0, 0, 0],
        [CARBON, 3, 0, NEUTRAL, 0, 0, 0],
        [CARBON, 2, 0, NEUTRAL, 0, 0, 0],
        [NITROGEN, 1, 0, NEUTRAL, 0, 0, 0],
        [NITROGEN, 3, 0, CATION, 0, 0, 0],
        [OXYGEN, 1, 0, NEUTRAL, 0, 0, 0],
        [OXYGEN, 1, 0, ANION, 0, 0, 0],
    ]
    assert [order for order, _ in kinds] == [DOUBLE, SINGLE, SINGLE, TRIPLE, DOUBLE, SINGLE]


def test_a_fused_bond_outside_the_aromatic_ring_is_in_a_ring_but_not_aromatic():
    atoms, _, _ = arrays("C1CCc2ccccc21")
    assert sum(row[4] for row in atoms) == 9
    assert sum(row[5] for row in atoms) == 6


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("C[C@H](N)C(=O)O", S_CENTRE),  # L-alanine
        ("C[C@@H](N)C(=O)O", R_CENTRE),
        ("CC(N)C(=O)O", 0),
        ("SC[C@H](N)C(=O)O", R_CENTRE),  # L-cysteine: sulfur outranks the acid
        ("CS(=O)CC", 0),
        ("[O-][S@+](C)CC", None),
    ],
)
def test_handedness_is_the_cip_label(text, label):
    atoms, _, _ = arrays(text)
    labels = {row[6] for row in atoms} - {0}
    if label is None:
        assert len(labels) == 1
    else:
        assert labels == ({label} - {0})


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("F/C=C/F", E_BOND),
        ("F/C=C\\F", Z_BOND),
        ("FC=CF", 0),
        ("C/C(F)=C(/C)Cl", E_BOND),  # F and Cl outrank the methyls and lie apart
        ("OC(=O)/C=C\\C(=O)O", Z_BOND),  # maleic acid
    ],
)
def test_double_bond_geometry_is_e_or_z(text, label):
    _, _, kinds = arrays(text)
    assert sorted({stereo for _, stereo in kinds}) == sorted({0, label})
    assert all(order == DOUBLE for order, stereo in kinds if stereo)


def test_enantiomers_differ_in_handedness_motifs_and_key_alone():
    pair = [featurize([read_smiles(t)]) for t in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O")]
    different = {
        name
        for name, tensor in pair[0].tensors().items()
        if not torch.equal(tensor, pair[1].tensors()[name])
    }
    assert different == {"atoms", "keys", "motif_ids"}
    assert torch.equal(pair[0].atoms[:, :6], pair[1].atoms[:, :6])


def test_a_hydrogen_that_is_an_atom_counts_as_a_neighbour_beside_any_other_molecule():
    texts = ["CCC", "[2H]C(C)C", "CCC"]
    together = featurize([read_smiles(text) for text in texts])
    for place, text in enumerate(texts):
        one = together.gather(torch.tensor([place]))
        assert one.atoms.equal(featurize([read_smiles(text)]).atoms)
    assert sorted(row[1:3] for row in arrays("[2H]C(C)C")[0] if row[0] == CARBON) == [
        [1, 3],
        [1, 3],
        [3, 1],
    ]


def test_every_column_stays_within_its_categories(batch):
    assert (batch.atoms < torch.tensor(list(ATOM_COLUMNS.values()))).all()
    assert (batch.bond_features < torch.tensor(list(BOND_COLUMNS.values()))).all()


def test_the_elements_are_those_the_intake_lets_in():
    assert set(ELEMENTS) == SUPPORTED_ELEMENTS


def test_all_columns_say_what_rdkit_says_of_each_atom_and_bond(batch, molecules):
    check_against_rdkit(molecules, batch)


def check_against_rdkit(molecules: list[Molecule], batch: MoleculeBatch) -> None:
    cip, geometry = {"R": 1, "S": 2}, {"STEREOE": 1, "STEREOZ": 2}
    orders = {"SINGLE": 0, "DOUBLE": 1, "TRIPLE": 2, "AROMATIC": 3}
    for i, molecule in enumerate(molecules):
        one = batch.gather(torch.tensor([i]))
        order = np.argsort(molecule.ranks).tolist()
        for row, index in zip(one.atoms.tolist(), order, strict=True):
            atom = molecule.mol.GetAtomWithIdx(index)
            assert row == [
                ELEMENTS.index(atom.GetSymbol()),
                atom.GetDegree(),
                atom.GetTotalNumHs(),
                atom.GetFormalCharge() + 2,
                atom.IsInRing(),
                atom.GetIsAromatic(),
                cip.get(atom.GetPropsAsDict(True, True).get("_CIPCode", ""), 0),
            ], molecule.smiles
        found = {}
        for (a, b), kind in zip(one.bonds.tolist(), one.bond_features.tolist(), strict=True):
            ends = frozenset((order[a], order[b]))
            found[ends] = kind
            assert a < b
        assert found == {
            frozenset((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())): [
                orders[bond.GetBondType().name],
                geometry.get(bond.GetStereo().name, 0),
            ]
            for bond in molecule.mol.GetBonds()
        }, molecule.smiles


def random_texts(text: str, n: int) -> list[str]:
    mol = Chem.MolFromSmiles(text)
    seeds = [random.randrange(2**31) for _ in range(n)]
    return [Chem.MolToRandomSmilesVect(mol, 1, randomSeed=seed)[0] for seed in seeds]


def disagreeing_arrays(texts: list[str], n: int) -> list[tuple[str, str, str]]:
    """The molecule, its rewriting and the array, wherever the two give different bits."""
    found = []
    for text in texts:
        expected = featurize([read_smiles(text)]).tensors()
        for other in random_texts(text, n):
            arrays = featurize([read_smiles(other)]).tensors()
            found += [
                (text, other, name)
                for name, tensor in arrays.items()
                if not torch.equal(tensor, expected[name])
            ]
    return found


def test_the_arrays_do_not_depend_on_how_the_smiles_is_written():
    assert len(MOLECULES) > 200
    assert disagreeing_arrays(list(MOLECULES), 20) == []


def test_real_molecules_keep_their_arrays_however_they_are_written(shared_data):
    texts = sample(shared_data, 300)
    assert disagreeing_arrays(texts, 5) == []


def test_real_molecules_have_the_columns_rdkit_gives(shared_data):
    results = [read_smiles(text) for text in sample(shared_data, 1000)]
    molecules = [result for result in results if isinstance(result, Molecule)]
    assert len(molecules) > 990
    check_against_rdkit(molecules, featurize(molecules))


def sample(shared_data, n: int) -> list[str]:
    import pyarrow.parquet as pq

    texts = pq.read_table(shared_data / "fsmol/valid.parquet", columns=["smiles"])["smiles"]
    texts = sorted(set(texts.to_pylist()))
    return [text for text in random.Random(5).sample(texts, n) if "[PH]" not in text]
