"""Molecular quantum numbers against RDKit's own and hand counts."""

import random

import numpy as np
import pytest
from rdkit.Chem import rdMolDescriptors

from molmeta.chem.graphs import graphs_of
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.quantum_numbers import quantum_numbers
from molmeta.chem.rotatable import rotatable_bonds
from molmeta.chem.vocabulary import N_DESCRIPTORS

CARBON, ACYCLIC_N, CYCLIC_N, ACYCLIC_O, CYCLIC_O, HEAVY_ATOMS = 0, 7, 8, 9, 10, 11
ROTATABLE = 18

# What a definition of a rotatable bond can stumble over: ends, amides and their kin, rings, and
# hydrogens that are atoms.
STIFF_OR_NOT = [
    *("CC", "CCCC", "CC#CC", "CCC#CCC", "CC(C)(C)CC(C)(C)C", "CC(C)(C)C(C)(C)CC"),
    *("FC(F)(F)CCC(F)(F)F", "FC(F)CCC(Cl)(Cl)Cl", "BrC(Br)(Br)CC(F)(F)Cl", "CCI", "ICCI"),
    *("CCC(=O)NCC", "CCC(=O)N(C)CC", "CCOC(=O)CC", "CCNC(=O)NCC", "CCOC(=O)NCC", "CCSC(=O)CC"),
    *("CCC(=S)NCC", "CCC(=N)NCC", "CCNC(=N)NCC", "CCC(=[NH2+])NCC", "CCNC(=O)C(=O)NCC"),
    *("CCC(=O)O", "CCC(=O)S", "CCC(S)=NCC", "O=C(Nc1ccccc1)c1ccccn1", "CCC(=O)n1cccc1"),
    *("O=C(c1ccco1)c1cccs1", "CCN1CCCC1=O", "O=C1CCCN1C1CCCCC1", "CCC(=O)C(=O)CC", "CCC(=C)NCC"),
    *("CCS(=O)(=O)NCC", "CCP(=O)(OCC)OCC", "c1ccc(-c2ccccc2)cc1", "C1CC1C1CC1", "CCN=C=NCC"),
    *("[2H]C([2H])([2H])CCC", "[2H]C([2H])([2H])C([2H])([2H])CC", "[2H]OCCC", "[2H]C(C)CC"),
    *("CC[N+](C)(C)CC", "CC[N+](=O)[O-]", "[O-][n+]1ccccc1CCC", "CCB(O)OCC", "CC[Si](C)(C)CC"),
    *("C1CCC2(CC1)CCCC2CC", "C1CC2CCC1C2CC", "C1CCCCCCCCCCC1CC", "C1CCCCCCCC1", "CCOCCOCCOC"),
]


def of_texts(texts: list[str]) -> list[Molecule]:
    results = [read_smiles(text) for text in texts]
    return [result for result in results if isinstance(result, Molecule)]


def expected(molecules: list[Molecule]) -> np.ndarray:
    return np.array([list(rdMolDescriptors.MQNs_(molecule.mol)) for molecule in molecules])


def check_against_rdkit(molecules: list[Molecule]) -> None:
    found, wanted = quantum_numbers(graphs_of(molecules)), expected(molecules)
    assert found.dtype == np.int16
    different = np.argwhere(found != wanted)
    assert not len(different), [(molecules[i].smiles, int(j)) for i, j in different[:5]]


def test_they_are_those_of_rdkit(molecules):
    check_against_rdkit(molecules)


def test_rotatable_bonds_are_those_of_rdkit():
    molecules = of_texts(STIFF_OR_NOT)
    assert len(molecules) == len(STIFF_OR_NOT)
    check_against_rdkit(molecules)
    assert len(np.unique(expected(molecules)[:, ROTATABLE])) > 4


def test_the_triple_bond_of_an_aryne_counts_as_aromatic_too():
    check_against_rdkit(of_texts(["Cc1nc#cn1C", "c1ccc#cc1", "c1ccccc1C#Cc1ccccc1"]))


def test_they_are_those_of_rdkit_for_real_molecules(shared_data):
    import pyarrow.parquet as pq

    texts = pq.read_table(shared_data / "fsmol/valid.parquet", columns=["smiles"])["smiles"]
    check_against_rdkit(of_texts(random.Random(3).sample(sorted(set(texts.to_pylist())), 2000)))


def test_a_batch_gives_each_molecule_what_it_has_alone(molecules):
    together = quantum_numbers(graphs_of(molecules))
    alone = [quantum_numbers(graphs_of([molecule])) for molecule in molecules]
    assert np.array_equal(together, np.concatenate(alone))
    assert quantum_numbers(graphs_of([])).shape == (0, N_DESCRIPTORS)


def test_atoms_of_zidovudine_in_rings_and_outside_by_hand():
    (zidovudine,) = of_texts(["Cc1cn([C@H]2C[C@H](N=[N+]=[N-])[C@@H](CO)O2)c(=O)[nH]c1=O"])
    values = quantum_numbers(graphs_of([zidovudine]))[0]
    found = values[[CARBON, ACYCLIC_N, CYCLIC_N, ACYCLIC_O, CYCLIC_O, HEAVY_ATOMS]]
    assert found.tolist() == [10, 3, 2, 3, 1, 19]


@pytest.mark.parametrize(
    ("text", "turning"),
    [
        ("CCCC", ["CC"]),
        ("CCNC(=O)CC", ["CN", "CC"]),  # on either side of the amide, which does not turn
        ("c1ccccc1-c1ccccc1", ["cc"]),
        ("CC#CCC", []),
    ],
)
def test_bonds_that_turn_by_hand(text, turning):
    (molecule,) = of_texts([text])
    graphs = graphs_of([molecule])
    turns = rotatable_bonds(graphs, graphs.rings_of_bond > 0)
    order = np.argsort(molecule.ranks)
    found = [
        "".join(sorted(molecule.mol.GetAtomWithIdx(int(order[i])).GetSmarts() for i in bond))
        for bond in graphs.bonds[turns]
    ]
    assert sorted(found) == sorted("".join(sorted(pair)) for pair in turning)
