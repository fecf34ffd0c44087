"""A small ChEMBL to assays: each rule, each reason to leave a row out, each file that is none."""

import gzip
import json
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from data_recipes import chembl
from data_recipes.chembl_release import ACTIVITIES
from molmeta.assays.store import open_store
from tests.data_recipes.chembl_database import CELL, GPCR, KINASE, Database

ALCOHOLS = [f"{'C' * n}O" for n in range(1, 41)]
"""Forty compounds."""
HEAVY = f"{'C' * 70}O"


def potencies(low: float, high: float, n: int = 40) -> list[float]:
    """Concentrations in nM whose pIC50 run evenly from low to high."""
    return [10 ** (9 - (low + (high - low) * place / (n - 1))) for place in range(n)]


def balanced(database: Database, chembl_id: str = "CHEMBL77", **assay: Any) -> int:
    """An assay of forty compounds with pIC50 of 4 to 6, half of them above 5."""
    assay_id = database.assay(chembl_id, **assay)
    for smiles, value in zip(ALCOHOLS, potencies(4, 6), strict=True):
        database.measure(assay_id, smiles, value)
    return assay_id


def run(source: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(chembl.main, ["--source", str(source), "--out", str(out), *more])


Made = tuple[list[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Database], Made]:
    """Run the recipe; gives the rows and the dataset.json, with every activity accounted for."""

    def make(database: Database) -> Made:
        result = run(database.write(tmp_path / "chembl.db"), tmp_path / "out")
        assert result.exit_code == 0, result.output
        rows = pq.read_table(tmp_path / "out" / "assays.parquet").to_pylist()
        about = json.loads((tmp_path / "out" / "dataset.json").read_text())
        counts = about["counts"]
        gone = [n for fate in ("merged", "dropped") for n in counts.get(fate, {}).values()]
        assert counts["kept"]["rows"] + sum(gone) == len(database.activities)
        return rows, about

    return make


def test_an_assay_carries_its_target_and_what_was_measured(
    make: Callable[[Database], Made],
) -> None:
    database = Database()
    balanced(database, tid=KINASE, confidence=8)
    rows, about = make(database)
    assert len(rows) == 40
    assert {key: value for key, value in rows[0].items() if key not in ("value", "log_value")} == {
        "assay_id": "CHEMBL77",
        "smiles": "CO",
        "label": 0,
        "relation": "=",
        "unit": "nM",
        "standard_type": "IC50",
        "assay_type": "B",
        "confidence": 8,
        "target_id": "CHEMBL501",
        "target_name": "Tyrosine-protein kinase X",
        "target_family": "enzyme / kinase",
        "threshold": pytest.approx(5.0),
    }
    assert rows[0]["value"] == pytest.approx(100_000)
    assert [row["log_value"] for row in rows] == pytest.approx(
        [4 + 2 * place / 39 for place in range(40)]
    )
    assert [row["label"] for row in rows] == [0] * 20 + [1] * 20
    assert (about["name"], about["released"]) == ("ChEMBL_99", "2031-05-04")
    assert about["settings"]["activities"] == 40


def test_a_target_that_is_no_protein_has_no_family(make: Callable[[Database], Made]) -> None:
    database = Database()
    balanced(database, tid=CELL)
    balanced(database, "CHEMBL78", tid=None)
    rows, _ = make(database)
    assert {(r["assay_id"], r["target_name"], r["target_family"]) for r in rows} == {
        ("CHEMBL77", "HeLa", None),
        ("CHEMBL78", None, None),
    }


@pytest.mark.parametrize(("tid", "threshold", "n_active"), [(KINASE, 6.4, 20), (GPCR, 5.0, 24)])
def test_the_median_of_an_enzyme_may_be_higher(
    make: Callable[[Database], Made], tid: int, threshold: float, n_active: int
) -> None:
    database = Database()
    assay_id = database.assay("CHEMBL77", tid=tid)
    weak, strong = potencies(4, 4.75, 16), potencies(6.05, 8.35, 24)
    for smiles, value in zip(ALCOHOLS, weak + strong, strict=True):
        database.measure(assay_id, smiles, value)
    rows, _ = make(database)
    assert [row["threshold"] for row in rows] == pytest.approx([threshold] * 40)
    assert sum(row["label"] for row in rows) == n_active


def test_percent_inhibition_has_classes_and_no_log_value(
    make: Callable[[Database], Made],
) -> None:
    database = Database()
    assay_id = database.assay("CHEMBL77")
    for place, smiles in enumerate(ALCOHOLS):
        database.measure(assay_id, smiles, 2.5 * place, type="Inhibition", unit="%")
    rows, _ = make(database)
    assert {(row["unit"], row["log_value"], row["threshold"]) for row in rows} == {("%", None, 50)}
    assert [row["label"] for row in rows] == [int(2.5 * place > 50) for place in range(40)]


def test_a_bound_is_a_class_only_on_one_side_of_the_threshold(
    make: Callable[[Database], Made],
) -> None:
    database = Database()
    assay_id = balanced(database)
    for smiles, value, relation in (
        ("CCN", 10_000, ">"),
        ("CCCN", 30_000, ">>"),
        ("CCCCN", 5, "<"),
        ("CCCCCN", 1_000, ">"),  # pIC50 below 6 may be above 5 or not
        ("CCCCCCN", 50_000, "<="),
    ):
        database.measure(assay_id, smiles, value, relation=relation)
    rows, about = make(database)
    assert [(r["smiles"], r["label"], r["relation"]) for r in rows if "N" in r["smiles"]] == [
        ("CCN", 0, ">"),
        ("CCCN", 0, ">"),
        ("CCCCN", 1, "<"),
    ]
    assert about["counts"]["dropped"] == {"compounds whose bound leaves both classes open": 2}


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"type": "Solubility"}, "no measure of potency"),
        ({"type": None}, "no measure of potency"),
        ({"type": "Activity", "unit": "%"}, "no measure of potency"),
        ({"validity": "Outside typical range"}, "ChEMBL marks: Outside typical range"),
        ({"duplicate": 1}, "ChEMBL marks: Potential duplicate"),
        ({"smiles": None}, "without a structure"),
        ({"value": None}, "without a value"),
        ({"value": 0}, "no concentration"),
        ({"value": -3.0}, "no concentration"),
        ({"value": "active"}, "no concentration"),
        ({"unit": "ug.mL-1"}, "no concentration"),
        ({"unit": None}, "no concentration"),
        ({"unit": "%"}, "no concentration"),
        ({"type": "Ki"}, "another type than most"),
        ({"smiles": "C1CC"}, "molecule cannot be read"),
        ({"smiles": HEAVY}, "heavier than 900 Da"),
    ],
    ids=str,
)
def test_a_row_that_says_nothing_is_dropped_with_its_reason(
    make: Callable[[Database], Made], odd: dict[str, Any], reason: str
) -> None:
    database = Database()
    row: dict[str, Any] = {"smiles": "CCN", "value": 200.0} | odd
    database.measure(balanced(database), **row)
    rows, about = make(database)
    assert len(rows) == 40
    ((told, n),) = about["counts"]["dropped"].items()
    assert reason in told
    assert n == 1


@pytest.mark.parametrize(
    ("value", "unit"), [(0.2, "uM"), (200_000, "pM"), (2e-7, "M"), (0.0002, "mM"), (200, "nM")]
)
def test_every_molar_unit_is_read(
    make: Callable[[Database], Made], value: float, unit: str
) -> None:
    database = Database()
    database.measure(balanced(database), "CCN", value, unit=unit, validity="Manually validated")
    row = make(database)[0][-1]
    assert (row["value"], row["log_value"], row["label"]) == (
        pytest.approx(200),
        pytest.approx(6.698970004),
        1,
    )


def test_values_of_one_compound_become_their_median(make: Callable[[Database], Made]) -> None:
    database = Database()
    assay_id = balanced(database)
    for smiles, value in (("CCN", 100), ("NCC", 1_000), ("CCN.Cl", 300)):
        database.measure(assay_id, smiles, value)
    rows, about = make(database)
    assert [(r["smiles"], r["value"]) for r in rows if "N" in r["smiles"]] == [
        ("CCN", pytest.approx(300))
    ]
    assert sum(about["counts"]["merged"].values()) == 2


def test_small_large_and_unbalanced_assays_are_left_out(
    make: Callable[[Database], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chembl, "LARGEST", 40)
    database = Database()
    balanced(database)
    tiny = database.assay("CHEMBL1")
    for smiles in ALCOHOLS[:31]:
        database.measure(tiny, smiles, 100)
    shrunk = balanced(database, "CHEMBL2")
    del database.activities[-9:]
    database.measure(shrunk, "CCN", None)
    screen = balanced(database, "CHEMBL3")
    database.measure(screen, "CCN", 100)
    weak = database.assay("CHEMBL4")
    for smiles, value in zip(ALCOHOLS, potencies(2, 3.9), strict=True):
        database.measure(weak, smiles, value)
    rows, about = make(database)
    assert {row["assay_id"] for row in rows} == {"CHEMBL77"}
    assert about["counts"]["dropped"] == {
        "compounds of assays with too few or too many actives": 40,
        "rows of assays left with fewer than 32 compounds": 31,
        "rows of assays with fewer than 32": 31,
        "rows of assays with more than 40 structures": 41,
        "rows without a value": 1,
    }


def test_assays_and_rows_stand_in_the_order_of_their_identifiers(
    make: Callable[[Database], Made],
) -> None:
    database = Database()
    for name in ("CHEMBL9", "CHEMBL80", "CHEMBL7"):
        balanced(database, name)
    rows, _ = make(database)
    assert list(dict.fromkeys(row["assay_id"] for row in rows)) == [
        "CHEMBL7",
        "CHEMBL80",
        "CHEMBL9",
    ]
    assert [row["smiles"] for row in rows[:40]] == ALCOHOLS


def test_only_the_activities_of_one_assay_are_sorted_at_a_time(tmp_path: Path) -> None:
    connection = sqlite3.connect(Database().write(tmp_path / "chembl.db"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {ACTIVITIES}", {"smallest": 32}).fetchall()
    connection.close()
    sorts = [step[-1] for step in plan if "ORDER BY" in step[-1]]
    assert sorts == ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"]


def test_batches_do_not_change_the_result(
    make: Callable[[Database], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database()
    for name in ("CHEMBL1", "CHEMBL2", "CHEMBL3"):
        balanced(database, name)
    make(database)
    monkeypatch.setattr(chembl, "_BATCH", 50)
    assert run(tmp_path / "chembl.db", tmp_path / "again").exit_code == 0
    for name in ("assays.parquet", "dataset.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_store_opens(make: Callable[[Database], Made], tmp_path: Path) -> None:
    database = Database()
    balanced(database)
    make(database)
    (task,) = open_store(tmp_path / "out", workers=1)
    assert (task.assay_id, len(task), task.share_active) == ("CHEMBL77", 40, 0.5)


def tarred(path: Path, folder: Path, name: str = "chembl_99/chembl_99_sqlite/chembl_99.db") -> Path:
    archive = folder / "chembl_99_sqlite.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(path, name)
    return archive


def gzipped(path: Path, folder: Path) -> Path:
    packed = folder / "chembl_99.db.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


@pytest.mark.parametrize("pack", [tarred, gzipped])
def test_a_packed_release_is_unpacked_for_the_time(
    tmp_path: Path, pack: Callable[[Path, Path], Path]
) -> None:
    database = Database()
    balanced(database)
    source = pack(database.write(tmp_path / "chembl.db"), tmp_path)
    left = tmp_path / ".out.unpacked"
    left.write_bytes(b"by a run that was killed")
    result = run(source, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert len(pq.read_table(tmp_path / "out" / "assays.parquet")) == 40
    assert not left.exists()


def no_database(folder: Path) -> Path:
    path = folder / "chembl.db"
    path.write_text("This is no database. " * 100)
    return path


def another_database(folder: Path) -> Path:
    with sqlite3.connect(folder / "chembl.db") as connection:
        connection.execute("CREATE TABLE activities (activity_id)")
    connection.close()
    return folder / "chembl.db"


def without_a_table(folder: Path) -> Path:
    path = Database().write(folder / "chembl.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE component_class")
    connection.close()
    return path


def without_an_assay(folder: Path) -> Path:
    return Database().write(folder / "chembl.db")


def damaged(folder: Path) -> Path:
    database = Database()
    for number in range(30):
        balanced(database, f"CHEMBL{number}")
    path = database.write(folder / "chembl.db")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    return path


def cut_short(folder: Path) -> Path:
    database = Database()
    balanced(database)
    archive = tarred(database.write(folder / "chembl.db"), folder)
    archive.write_bytes(archive.read_bytes()[:2_000])
    return archive


def without_a_member(folder: Path) -> Path:
    return tarred(no_database(folder), folder, "README.txt")


@pytest.mark.parametrize(
    ("make_source", "told"),
    [
        (lambda folder: folder / "chembl.db", "There is no file"),
        (no_database, "cannot be read as an SQLite database"),
        (another_database, "has no column assay_id"),
        (without_a_table, "no ChEMBL release: it has no table 'component_class'"),
        (without_an_assay, "No assay is left"),
        (damaged, "damaged"),
        (cut_short, "damaged or cut short"),
        (without_a_member, "holds no .db file"),
    ],
)
def test_what_is_no_release_is_refused_in_a_sentence(
    tmp_path: Path, make_source: Callable[[Path], Path], told: str
) -> None:
    source = make_source(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    result = run(source, tmp_path / "out")
    assert result.exit_code == 3, result.output
    assert told in result.output
    assert {path.name for path in tmp_path.iterdir()} == before


def test_the_database_is_only_read(tmp_path: Path) -> None:
    database = Database()
    balanced(database)
    path = database.write(tmp_path / "chembl.db")
    before = path.read_bytes()
    path.chmod(0o444)
    assert run(path, tmp_path / "out").exit_code == 0
    assert path.read_bytes() == before
