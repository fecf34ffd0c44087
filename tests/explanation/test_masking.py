"""Masked atoms say nothing: not in the graph, not in the fingerprint, and the rest as before."""

import torch
from rdkit import Chem

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.fingerprints import ecfp_environments
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.explanation.masking import masked


def read(smiles: str) -> Molecule:
    molecule = read_smiles(smiles)
    assert isinstance(molecule, Molecule)
    return molecule


def test_the_environments_are_those_that_are_counted(molecules: list[Molecule]) -> None:
    for molecule in molecules:
        batch = featurize([molecule])
        found: dict[int, int] = {}
        for bit, atoms in ecfp_environments(molecule.mol):
            found[bit] = found.get(bit, 0) + 1
            assert atoms <= set(range(molecule.mol.GetNumAtoms()))
        assert sorted(found) == batch.ecfp_ids.tolist()
        assert [min(found[bit], 255) for bit in sorted(found)] == batch.ecfp_counts.tolist()


def test_an_environment_holds_the_atoms_within_its_radius() -> None:
    sizes = sorted(len(atoms) for _, atoms in ecfp_environments(read("CCO").mol))
    # Each atom alone, each with its neighbours (the middle one's is the molecule), no larger.
    assert sizes[:3] == [1, 1, 1]
    assert max(sizes) == 3


def test_an_empty_mask_changes_nothing(molecules: list[Molecule]) -> None:
    for molecule in molecules[:40]:
        (whole, same) = featurize([molecule]), masked(molecule, [()])
        for name, tensor in whole.tensors().items():
            assert torch.equal(same.tensors()[name], tensor), name


def test_a_masked_atom_takes_its_bonds_and_environments_with_it() -> None:
    molecule = read("Oc1ccccc1")  # phenol: the oxygen is atom 0 of the text
    whole = featurize([molecule])
    (oxygen,) = (a.GetIdx() for a in molecule.mol.GetAtoms() if a.GetSymbol() == "O")
    without = masked(molecule, [[oxygen]])
    assert len(without.atoms) == len(whole.atoms) - 1
    assert len(without.bonds) == len(whole.bonds) - 1
    assert int(without.ecfp_counts.sum()) < int(whole.ecfp_counts.sum())
    # What is left of the ring looks as in the whole molecule: the carbon keeps its degree of 3.
    rows = {tuple(row) for row in whole.atoms.tolist()}
    assert {tuple(row) for row in without.atoms.tolist()} < rows
    kept = [atoms for _, atoms in ecfp_environments(molecule.mol) if oxygen not in atoms]
    assert int(without.ecfp_counts.sum()) == len(kept)


def test_the_quantum_numbers_of_what_is_left_by_hand() -> None:
    molecule = read("CC(=O)Nc1ccc(F)cc1")
    symbols = [atom.GetSymbol() for atom in molecule.mol.GetAtoms()]
    (whole,) = featurize([molecule]).descriptors.tolist()
    fluorine, nitrogen = (
        {place: all_ - left for place, (all_, left) in enumerate(zip(whole, row, strict=True))}
        for row in masked(molecule, [[symbols.index(x)] for x in "FN"]).descriptors.tolist()
    )
    # An atom, heavy, of one neighbour, on a single bond outside rings.
    assert {k: n for k, n in fluorine.items() if n} == {1: 1, 11: 1, 12: 1, 25: 1}
    # Outside rings, heavy, of two neighbours, on two single bonds one of which turns; an acceptor
    # and a donor of one hydrogen bond.
    lost = {7: 1, 11: 1, 12: 2, 18: 1, 19: 1, 20: 1, 21: 1, 22: 1, 26: 1}
    assert {k: n for k, n in nitrogen.items() if n} == lost


def test_a_ring_goes_with_one_of_its_atoms_and_the_others_stay_in_a_ring() -> None:
    naphthalene = read("c1ccc2ccccc2c1")
    carbons = list(naphthalene.mol.GetAtoms())
    fused = [atom.GetIdx() for atom in carbons if atom.GetDegree() == 3]
    outer = next(atom.GetIdx() for atom in carbons if atom.GetDegree() == 2)
    found = masked(naphthalene, [[], [outer], fused]).descriptors
    bonds, in_ring, of_six, of_both = (
        found[:, columns].sum(1).tolist() for columns in ([15, 16], [29, 30, 31], [35], [40, 41])
    )
    assert bonds == [11, 9, 6]
    assert in_ring == [10, 9, 8]
    assert of_six == [2, 1, 0]
    assert of_both == [3, 3, 0]


def test_bonds_run_between_the_atoms_that_are_left() -> None:
    molecule = read("CCC(N)=O")
    carbon = next(
        a.GetIdx() for a in molecule.mol.GetAtoms() if a.GetDegree() == 3 and a.GetSymbol() == "C"
    )
    without = masked(molecule, [[carbon]])
    # Ethyl stays together, nitrogen and oxygen are alone.
    assert len(without.bonds) == 1
    ends = without.atoms[without.bonds[0].long(), 0]
    assert ends.tolist() == [2, 2]  # both carbon


def test_masks_come_back_in_their_order_and_all_atoms_may_be_masked() -> None:
    molecule = read("CCO")
    masks: list[list[int]] = [[0], [], [0, 1, 2]]
    found: MoleculeBatch = masked(molecule, masks)
    assert found.atom_offsets.diff().tolist() == [2, 3, 0]
    assert found.ecfp_offsets.diff().tolist()[2] == 0
    assert Chem.MolToSmiles(molecule.mol) == "CCO"
