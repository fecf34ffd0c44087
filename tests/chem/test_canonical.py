"""Molecules of which RDKit writes several canonical SMILES, or one that it cannot read."""

import random

import pytest
from rdkit import Chem

from molmeta.chem.canonical import is_told_by_labels, settled_form
from molmeta.chem.features import featurize
from molmeta.chem.intake import MAX_RINGS, Molecule, Rejection, Status, read_smiles
from tests.molecules import MOLECULES

MARKED = [
    "CCO",
    "C[C@H](F)Cl",
    "C/C=C/C",
    "C[C@H](O)[C@@H](F)CC",
    "[13CH3]CO",
    "C[C@H]1CC[C@@H](O)CC1",
    "O[C@H]1C2C[C@H]3C[C@@H](C2)C[C@H]1C3",
]

SEVERAL_FORMS = {
    "adamantanol": "O[C@H]1C2C[C@H]3C[C@@H](C2)C[C@H]1C3",
    "two halogens on adamantane": "F[C@H]1C2C[C@@H]3C[C@@H]1C[C@@H](C2)C3Cl",
    "an inhibitor of 11-beta-HSD1": (
        "O=C(C[C@]1(c2ccc(-c3ccc(F)cc3)cc2)C2CC3CC1CC(C2)[C@@H]3O)N1CC(O)C1"
    ),
    "cubane with methyl": "C[C@]12[C@@H]3[C@H]4C5[C@H]3[C@H]1[C@H]5[C@H]42",
    "inositol, one centre unknown": "OC1[C@H](O)[C@@H](O)[C@H](O)[C@H](O)[C@@H]1O",
    "tricyclooctane": "C1C[C@H]2[C@@H]1[C@H]1CC[C@@H]21",
}


def canonical(smiles: str) -> str:
    """What RDKit writes, without any care."""
    return str(Chem.MolToSmiles(Chem.MolFromSmiles(smiles)))


def accepted(smiles: str) -> Molecule:
    result = read_smiles(smiles)
    assert isinstance(result, Molecule), result
    return result


@pytest.mark.parametrize("name", SEVERAL_FORMS)
def test_every_writing_leads_to_one_form_and_the_same_arrays(name: str) -> None:
    molecule = accepted(SEVERAL_FORMS[name])
    writings = Chem.MolToRandomSmilesVect(molecule.mol, 12, randomSeed=7)
    others = [accepted(smiles) for smiles in (molecule.smiles, *writings)]
    assert {other.smiles for other in others} == {molecule.smiles}
    for array in featurize([molecule, *others]).tensors().values():
        if array.ndim > 1 and len(array) == 1 + len(others):
            assert (array == array[0]).all()
    atoms = featurize([molecule]).atoms
    assert all((featurize([other]).atoms == atoms).all() for other in others)


def test_rdkit_alone_gives_these_molecules_more_than_one_form() -> None:
    for name, smiles in SEVERAL_FORMS.items():
        writings = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), 64, randomSeed=7)
        assert len({canonical(text) for text in writings}) > 1, name


@pytest.mark.parametrize(
    "smiles", ["O=I", "OI(O)=O", "O=p1ccncc1", "Cc1cccp(=O)c1C", "O=p1ncccc1C"]
)
def test_what_rdkit_corrects_when_it_reads_its_own_form_is_corrected_at_once(smiles: str) -> None:
    assert canonical(smiles) != canonical(canonical(smiles))
    molecule = accepted(smiles)
    assert molecule.smiles == canonical(molecule.smiles)
    for writing in Chem.MolToRandomSmilesVect(molecule.mol, 12, randomSeed=7):
        assert accepted(writing).smiles == molecule.smiles


def test_what_rdkit_writes_and_cannot_read_is_refused() -> None:
    # Its furan oxygen has three bonds, which RDKit does not notice on the way in.
    result = read_smiles("C=1cc2[nH]c(=O)/c(=C\\c3cccn3C)c(=N)n2o1")
    assert isinstance(result, Rejection)
    assert result.status == Status.SANITIZE_ERROR
    assert "cannot read back" in result.reason


@pytest.mark.parametrize(
    "smiles",
    ["C[C@H]1CC[C@@H](O)CC1", "C[C@H](N)C(=O)O", "O[C@H]1CC[C@H](O)CC1", "c1ccccc1/C=C/C"],
)
def test_an_ordinary_molecule_keeps_the_form_of_rdkit(smiles: str) -> None:
    assert accepted(smiles).smiles == canonical(smiles)


@pytest.mark.parametrize("text", ["[C:1][C:2]", "[C]([C])[C]", "CC |^5:0,1|"])
def test_what_would_be_written_as_selfies_is_refused_in_every_writing(text: str) -> None:
    assert read_smiles(text).status == Status.NOT_SMILES


def tangle(n_atoms: int) -> str:
    """A SMILES in which every atom after the first two closes a ring to an atom at random."""
    generator = random.Random(0)
    closures: list[list[str]] = [[] for _ in range(n_atoms)]
    free = [atom for atom in range(n_atoms) for _ in range(2)]
    generator.shuffle(free)
    bonds: set[tuple[int, int]] = set()
    while len(free) > 1:
        a, b = free.pop(), free.pop()
        bond = (min(a, b), max(a, b))
        if bond[1] - bond[0] > 1 and bond not in bonds:
            bonds.add(bond)
            for atom in bond:
                closures[atom].append(f"%({len(bonds)})")
    return "".join("C" + "".join(own) for own in closures)


def test_more_rings_than_any_molecule_has_are_refused_before_rdkit_counts_them() -> None:
    result = read_smiles(tangle(990))
    assert result.status == Status.TOO_LARGE
    assert f"rings (at most {MAX_RINGS} are read)" in result.reason
    mol = Chem.MolFromSmiles(tangle(330), sanitize=False)
    assert read_smiles(mol).status == Status.TOO_LARGE
    at_the_bound = "".join(f"C%({n % MAX_RINGS})" for n in range(2 * MAX_RINGS))
    assert isinstance(read_smiles(at_the_bound), Molecule)


@pytest.mark.parametrize(
    "smiles",
    ["CP(C)(C)=O", "O=I", "CI(=O)=O", "C=c1cccc1=C", "C=1ccccC=1"],
)
def test_what_rdkit_may_change_when_it_reads_it_again_is_written_at_once(smiles: str) -> None:
    result = read_smiles(smiles)
    assert isinstance(result, Rejection) or result.written == result.smiles


@pytest.mark.parametrize("smiles", ["O=c1cc[nH]cc1", "S=c1cccco1", "O=[N+]([O-])c1ccccc1"])
def test_a_carbonyl_has_one_form_wherever_the_text_begins(smiles: str) -> None:
    molecule = accepted(smiles)
    assert molecule.written is None
    writings = Chem.MolToRandomSmilesVect(molecule.mol, 20, randomSeed=1)
    assert {accepted(text).smiles for text in writings} == {molecule.smiles}


def test_a_molecule_that_is_not_written_has_one_form_that_can_be_read() -> None:
    n_unwritten = 0
    for text in MOLECULES:
        molecule = accepted(text)
        if molecule.written is None:
            n_unwritten += 1
            assert settled_form(molecule.mol, molecule.smiles) == molecule.smiles
    assert n_unwritten > len(MOLECULES) / 3


def test_labels_tell_ordinary_stereo_and_nothing_of_isotopes_or_dependent_centres() -> None:
    told = {text: is_told_by_labels(Chem.MolFromSmiles(text)) for text in MARKED}
    assert [text for text, is_told in told.items() if is_told] == MARKED[:4]
