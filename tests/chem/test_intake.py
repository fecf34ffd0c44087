import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from molmeta.chem.features import featurize
from molmeta.chem.intake import (
    MAX_ATOMS,
    MAX_FRAGMENTS,
    MAX_NESTING,
    SUPPORTED_ELEMENTS,
    Molecule,
    Rejection,
    Status,
    read_smiles,
)
from tests.bad_inputs.smiles import ACCEPTED, REFUSED

DRUGS = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "ibuprofen": "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "nicotine": "CN1CCC[C@H]1c1cccnc1",
    "morphine": "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5",
    "diazepam": "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc12",
    "penicillin G": "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
    "testosterone": "C[C@]12CC[C@H]3[C@@H](CCC4=CC(=O)CC[C@@]34C)[C@@H]1CC[C@@H]2O",
    "metformin": "CN(C)C(=N)NC(N)=N",
    "sildenafil": "CCCc1nn(C)c2c1nc([nH]c2=O)-c1cc(ccc1OCC)S(=O)(=O)N1CCN(C)CC1",
    "imatinib": "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(n1)-c1cccnc1",
    "tamoxifen": "CC/C(=C(\\c1ccccc1)c1ccc(OCCN(C)C)cc1)c1ccccc1",
    "omeprazole": "COc1ccc2[nH]c(nc2c1)S(=O)Cc1ncc(C)c(OC)c1C",
    "chloramphenicol": "OC[C@@H](NC(=O)C(Cl)Cl)[C@H](O)c1ccc(cc1)[N+](=O)[O-]",
    "zidovudine": "Cc1cn([C@H]2C[C@H](N=[N+]=[N-])[C@@H](CO)O2)c(=O)[nH]c1=O",
    "minoxidil": "Nc1cc(nc(N)[n+]1[O-])N1CCCCC1",
    "acetylcholine": "CC(=O)OCC[N+](C)(C)C",
    "carnitine": "C[N+](C)(C)C[C@H](O)CC(=O)[O-]",
    "bortezomib": "CC(C)C[C@H](NC(=O)[C@H](Cc1ccccc1)NC(=O)c1cnccn1)B(O)O",
    "ebselen": "O=c1n(-c2ccccc2)[se]c2ccccc12",
    "fosfomycin": "C[C@@H]1O[C@@H]1P(=O)(O)O",
    "cyclophosphamide": "ClCCN(CCCl)P1(=O)NCCCO1",
    "cysteine": "N[C@@H](CS)C(=O)O",
    "retinal": "CC1=C(C(C)(C)CCC1)/C=C/C(C)=C/C=C/C(C)=C/C=O",
    "artemisinin": "C[C@@H]1CC[C@H]2[C@@H](C)C(=O)O[C@@H]3O[C@@]4(C)CC[C@@H]1[C@@]23OO4",
    "levothyroxine": "N[C@@H](Cc1cc(I)c(Oc2cc(I)c(O)c(I)c2)c(I)c1)C(=O)O",
    "fluorouracil": "Fc1c[nH]c(=O)[nH]c1=O",
    "cubane": "C12C3C4C1C5C2C3C45",
    "trans-cyclohexanediol": "O[C@H]1CC[C@H](O)CC1",
    "salbutamol": "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
    "glyceryl trinitrate": "O=[N+]([O-])OCC(CO[N+](=O)[O-])O[N+](=O)[O-]",
    "deuterated ethanol": "[2H]C([2H])([2H])CO",
}


def accepted(text: object) -> Molecule:
    result = read_smiles(text)
    assert isinstance(result, Molecule), result
    return result


def ids(table: list[Any]) -> list[str]:
    return [f"{row[0]}-{place}" for place, row in enumerate(table)]


@pytest.mark.parametrize(("case", "text", "smiles", "status", "words"), ACCEPTED, ids=ids(ACCEPTED))
def test_a_readable_text_gives_its_parent_and_says_what_was_changed(
    case: str, text: Any, smiles: str, status: str, words: str
) -> None:
    molecule = accepted(text)
    assert (molecule.smiles, molecule.status) == (smiles, status)
    assert words in molecule.reason
    assert bool(molecule.reason) == bool(words)


@pytest.mark.parametrize(("case", "text", "status", "words"), REFUSED, ids=ids(REFUSED))
def test_an_unusable_text_is_refused_with_its_status_and_the_reason(
    case: str, text: Any, status: str, words: str
) -> None:
    result = read_smiles(text)
    assert isinstance(result, Rejection), result
    assert result.status == status, result
    assert words in result.reason


@pytest.mark.parametrize("row", [*ACCEPTED, *REFUSED], ids=ids([*ACCEPTED, *REFUSED]))
def test_a_reason_is_one_short_line_of_printable_ascii(row: tuple[Any, ...]) -> None:
    reason = read_smiles(row[1]).reason
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 500


def test_the_tables_have_a_row_for_each_of_the_75_cases() -> None:
    assert {row[0] for row in [*ACCEPTED, *REFUSED]} == {f"A{n}" for n in range(1, 76)}


def test_a_refusal_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    texts = ("C(", "CFC", "c1cccc1", "[H]", "[PH](=O)(=O)C(", "C |junk|", "F[P-](F)(F)(F)(F)F")
    for text in (*texts, "CCO.[Zn+3]", "Cc1(C)=NCCC1"):
        read_smiles(text)
    assert capfd.readouterr() == ("", "")


def environments(molecule: Molecule) -> list[tuple[Any, ...]]:
    """Everything a model may see of each atom, in the canonical order."""
    place = molecule.ranks
    rows = []
    for index in sorted(range(len(place)), key=place.__getitem__):
        atom = molecule.mol.GetAtomWithIdx(index)
        bonds = sorted(
            (place[bond.GetOtherAtomIdx(index)], str(bond.GetBondType()), str(bond.GetStereo()))
            for bond in atom.GetBonds()
        )
        chirality = atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else ""
        numbers = (atom.GetFormalCharge(), atom.GetTotalNumHs(), atom.GetIsotope())
        flags = (atom.GetIsAromatic(), atom.IsInRing(), chirality)
        rows.append((atom.GetSymbol(), numbers, flags, bonds))
    return rows


def assert_every_way_of_writing_it_is_the_same(smiles: str) -> None:
    molecule = accepted(smiles)
    kekule = Chem.Mol(molecule.mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    ways = [
        *Chem.MolToRandomSmilesVect(molecule.mol, 20, randomSeed=1),
        Chem.MolToSmiles(kekule, kekuleSmiles=True),
        Chem.MolToSmiles(Chem.AddHs(molecule.mol)),
        Chem.MolToSmiles(molecule.mol, allHsExplicit=True),
        molecule.smiles,
    ]
    assert sorted(molecule.ranks) == list(range(molecule.mol.GetNumAtoms()))
    for way in ways:
        again = accepted(way)
        assert again.smiles == molecule.smiles, way
        assert environments(again) == environments(molecule), way


@pytest.mark.parametrize("smiles", DRUGS.values(), ids=DRUGS.keys())
def test_the_molecule_does_not_depend_on_how_it_is_written(smiles: str) -> None:
    assert_every_way_of_writing_it_is_the_same(smiles)


@pytest.fixture(scope="module")
def fsmol(shared_data: Path) -> list[str]:
    """Every SMILES of the meta-train and the meta-valid fold, once."""
    folds = (shared_data / "fsmol" / f"{fold}.parquet" for fold in ("train", "valid"))
    columns = [parquet.read_table(fold, columns=["smiles"])["smiles"] for fold in folds]
    return sorted({smiles for column in columns for smiles in column.to_pylist()})


def test_200_assayed_molecules_do_not_depend_on_how_they_are_written(fsmol: list[str]) -> None:
    marked = [smiles for smiles in fsmol if re.search(r"[@/\\+]", smiles)]
    for smiles in [*marked[:: len(marked) // 120][:120], *fsmol[:: len(fsmol) // 80][:80]]:
        assert_every_way_of_writing_it_is_the_same(smiles)


def test_fsmol_molecules_are_all_read_and_only_with_changes_that_were_foreseen(
    fsmol: list[str],
) -> None:
    changed = {}
    for smiles in fsmol[::150]:
        molecule = accepted(smiles)
        if molecule.status == Status.OK_CHANGED:
            changed[smiles] = molecule.reason
    for smiles, reason in changed.items():
        assert ("phosphorus" in reason) == ("[PH](=O)" in smiles), smiles
        assert ("charges" in reason) == bool(re.search(r"\[S@*\+\]", smiles)), smiles


def test_every_phosphonic_acid_with_its_proton_on_phosphorus_is_mended(
    fsmol: list[str],
) -> None:
    mangled = [smiles for smiles in fsmol if re.search(r"\[PH\]\(=O\)\(=O\)|=\[PH\]\(=O\)", smiles)]
    assert len(mangled) > 1200
    for smiles in mangled:
        assert accepted(smiles).reason.startswith("phosphorus"), smiles


@pytest.mark.parametrize(
    ("mangled", "meant"),
    [
        ("C[PH](=O)(=O)O", "CP(=O)(O)O"),
        ("O=[PH](=O)(O)Oc1ccccc1", "OP(=O)(O)Oc1ccccc1"),
        ("C=C(C[PH](=O)(=O)O)C[PH](=O)(=O)O", "C=C(CP(=O)(O)O)CP(=O)(O)O"),
        ("C[C@H](N)[PH](=O)(=O)CC", "C[C@H](N)P(=O)(O)CC"),
        ("C[PH](=O)(=O)O.[Na+]", "CP(=O)(O)O"),
    ],
)
def test_a_proton_on_phosphorus_goes_back_to_its_oxygen(mangled: str, meant: str) -> None:
    assert accepted(mangled).smiles == accepted(meant).smiles
    assert accepted(mangled).status == Status.OK_CHANGED


def test_phosphorus_that_may_bear_hydrogen_keeps_it() -> None:
    assert accepted("C[PH](=O)O").smiles == "C[PH](=O)O"
    assert accepted("C[PH](=O)O").status == Status.OK


@pytest.mark.parametrize(
    "forms",
    [
        ("C[N+](=O)[O-]", "CN(=O)=O", "[O-][N+](=O)C"),
        ("Cc1ccc(cc1)[N+](=O)[O-]", "Cc1ccc(cc1)N(=O)=O"),
        ("CN=[N+]=[N-]", "CN=N#N", "CN=[N]#N"),
        ("C[S+](C)[O-]", "CS(C)=O"),
        ("CC[S@+](C)[O-]", "CC[S@](C)=O"),
        ("C[P+](C)(C)[O-]", "CP(C)(C)=O"),
        ("NCC(=O)O", "[NH3+]CC(=O)[O-]", "NCC(=O)[O-].[Na+]", "[NH3+]CC(=O)O.[Cl-]"),
        ("CNCC=C", "C[NH2+]CC=C", "CNCC=C.Cl", "C[NH2+]CC=C.[Cl-]", "CNCC=C.OC(=O)C(F)(F)F"),
        ("CC(=O)O", "CC(=O)[O-]", "CC(=O)[O-].[Na+]", "CC(=O)[O-].[NH4+]", "CC(=O)O.O"),
        ("c1ccc2[nH]nnc2c1", "c1ccc2[n-]nnc2c1.[K+]"),
        ("C[N+](C)(C)CCCl", "C[N+](C)(C)CCCl.[Br-]", "C[N+](C)(C)CCCl.[I-].O"),
        ("CN1CCC[C@H]1c1cccnc1", "CN1CCC[C@H]1c1cccnc1.OC(=O)[C@H](O)[C@@H](O)C(=O)O"),
        ("Nc1ccncc1C", "Nc1ccncc1C.Nc1ccncc1C.OC(=O)/C=C/C(=O)O", "Nc1ccncc1C.OC(=O)/C=C\\C(=O)O"),
        ("CC(F)Cl", "C[C@H](F)Cl.C[C@@H](F)Cl", "C[C@H](F)Cl |&1:1|", "C[C@@H](F)Cl |&1:1|"),
    ],
    ids=lambda forms: forms[0],
)
def test_salts_charges_and_drawing_styles_share_one_identity(forms: tuple[str, ...]) -> None:
    molecules = [accepted(form) for form in forms]
    assert {molecule.smiles for molecule in molecules} == {molecules[0].smiles}
    assert len(set(featurize(molecules).keys.tolist())) == 1
    assert all(environments(molecule) == environments(molecules[0]) for molecule in molecules)


@pytest.mark.parametrize(
    "smiles",
    ["C[n+]1cc([O-])on1", "C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)C", "[C-]#[N+]C", "[O-][n+]1ccccc1"],
)
def test_a_charge_that_no_proton_can_carry_away_stays(smiles: str) -> None:
    molecule = accepted(smiles)
    assert Chem.CanonSmiles(smiles) == molecule.smiles
    assert molecule.status == Status.OK


def test_stereoisomers_and_tautomers_stay_apart() -> None:
    apart = ["C[C@H](F)Cl", "C[C@@H](F)Cl", "CC(F)Cl", "F/C=C/F", "F/C=C\\F", "CC(=O)C", "CC(O)=C"]
    assert len({accepted(smiles).smiles for smiles in apart}) == len(apart)


def test_a_solvent_or_counter_ion_alone_is_a_molecule_like_any_other() -> None:
    for smiles in ("CCO", "CS(C)=O", "O", "Cl", "OC(=O)C(F)(F)F"):
        assert accepted(smiles).status == Status.OK


@pytest.mark.parametrize("symbol", sorted(SUPPORTED_ELEMENTS - {"H"}))
def test_every_supported_element_is_read(symbol: str) -> None:
    assert accepted(f"[{symbol}]").mol.GetAtomWithIdx(0).GetSymbol() == symbol


def test_the_bounds_themselves_are_still_read() -> None:
    assert accepted("C" * MAX_ATOMS).mol.GetNumAtoms() == MAX_ATOMS
    assert accepted(".".join(["C"] * MAX_FRAGMENTS)).smiles == "C"
    half = MAX_ATOMS // 2 - 1
    assert half < MAX_NESTING
    assert accepted("C(" * half + "C" + ")" * half).mol.GetNumAtoms() == half + 1


def test_an_rdkit_molecule_passes_the_same_checks_as_text() -> None:
    mol = Chem.MolFromSmiles("CC(=O)[O-].[Na+]")
    assert accepted(mol).smiles == "CC(=O)O"
    assert Chem.MolToSmiles(mol) == "CC(=O)[O-].[Na+]"
    unsanitised = Chem.MolFromSmiles("CN(=O)=O", sanitize=False)
    assert accepted(unsanitised).smiles == "C[N+](=O)[O-]"
    with_hydrogens = Chem.AddHs(Chem.MolFromSmiles("C[C@H](O)F"))
    assert accepted(with_hydrogens).smiles == "C[C@H](O)F"
    assert accepted(Chem.MolFromSmiles("C[C@H](O)F |&1:1|")).smiles == "CC(O)F"
    for broken, status in [
        (Chem.Mol(), Status.EMPTY),
        (Chem.MolFromSmarts("[#6]C"), Status.WILDCARD_OR_QUERY),
        (Chem.MolFromSmiles("c1cccc1", sanitize=False), Status.SANITIZE_ERROR),
        (Chem.MolFromSmiles("C" * 20_000), Status.TOO_LARGE),
    ]:
        assert read_smiles(broken).status == status


SMILES_LIKE = st.text(alphabet='CNOSPFIclBrnos[]()=#-+/\\@%.:*~$>0123456789H |&^,"', max_size=60)
ALTERED = st.builds(
    lambda smiles, at, letter: smiles[: at % len(smiles)] + letter + smiles[at % len(smiles) + 1 :],
    st.sampled_from(list(DRUGS.values())),
    st.integers(0, 100),
    st.sampled_from(list("CNOcno()[]=#+-@1239.H ")),
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), SMILES_LIKE, ALTERED, st.binary(), st.floats(), st.none()))
@example("[" * 30)
@example("C%(1000000)")
@example("[C:99999999999999999999]")
@example("C |&1:" + "9" * 5000 + "|")
@example("[H]P(=O)(=O)O.C[PH]C")
def test_nothing_raises_and_what_is_read_can_be_read_again(text: object) -> None:
    result = read_smiles(text)
    assert isinstance(result, Molecule | Rejection)
    assert result.status in Status
    if isinstance(result, Molecule):
        assert result.status in (Status.OK, Status.OK_CHANGED)
        assert sorted(result.ranks) == list(range(result.mol.GetNumAtoms()))
        again = read_smiles(result.smiles)
        assert isinstance(again, Molecule), (text, again)
    else:
        assert result.status not in (Status.OK, Status.OK_CHANGED)
        assert result.reason


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["F[C@](Cl)Br", "F[C](Cl)Br"], "radical: unpaired electrons 1"),
        (["F[C@@H]Br", "F[CH]Br"], "radical: unpaired electrons 1"),
        (["CC[N+](C)[O-]", "CC[N+]([O-])C", "[O-][N+](C)CC"], "radical: unpaired electrons 1"),
        (["C[N+](=O)[O-]", "O=[N+]([O-])C", "[O-][N+](=O)C"], ""),
        (["C[n+]1ccccc1", "c1cc[n+](C)cc1", "[n+]1(C)ccccc1"], ""),
        (["c1cccc[n+]1[O-]", "c1ccc[n+]([O-])c1", "[O-][n+]1ccccc1"], ""),
        (["C[N+](C)(C)CC(=O)O", "[N+](C)(C)(C)CC(=O)O"], ""),
    ],
)
def test_unpaired_electrons_are_named_however_the_text_writes_them(
    texts: list[str], reason: str
) -> None:
    read = [read_smiles(text) for text in texts]
    molecules = [molecule for molecule in read if isinstance(molecule, Molecule)]
    assert [molecule.reason for molecule in molecules] == [reason] * len(texts)
    assert len({molecule.smiles for molecule in molecules}) == 1
