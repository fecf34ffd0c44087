"""The MoleculeNet recipe on small files with DeepChem's columns, and on the real headers."""

import csv
import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from data_recipes import moleculenet
from data_recipes.moleculenet import DATA_SETS, main
from molmeta.assays.deepchem_datasets import quiet_deepchem
from molmeta.assays.store import open_store
from molmeta.chem.intake import read_smiles
from molmeta.errors import ConfigError
from tests.molecules import MOLECULES

TOX21 = (
    *("NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma"),
    *("SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53"),
)


@pytest.fixture(autouse=True, scope="module")
def _deepchem() -> None:
    """All of this is skipped where DeepChem cannot be installed."""
    try:
        with quiet_deepchem():
            pass
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _own_files(monkeypatch) -> None:
    """Files written here are none of the published ones, so no checksum holds for them."""
    for name, data in DATA_SETS.items():
        monkeypatch.setitem(DATA_SETS, name, replace(data, sha256=None))


def write(path: Path, smiles: Sequence[str], labels: Sequence[Sequence[str]]) -> Path:
    """A file like tox21.csv.gz, whose tasks are the columns of `labels`."""
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*TOX21, "mol_id", "smiles"])
        for i, (text, row) in enumerate(zip(smiles, labels, strict=True)):
            rows.writerow([*row, f"TOX{i}", text])
    return path


@pytest.fixture
def tox21(tmp_path: Path) -> Path:
    """40 molecules; molecule i lacks the label of task i modulo 12."""
    labels = [["" if j == i % 12 else str((i + j) % 3 // 2) for j in range(12)] for i in range(40)]
    return write(tmp_path / "tox21.csv.gz", MOLECULES[:40], labels)


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def made(tmp_path: Path, source: Path, *more: str, name: str = "out") -> Path:
    done = run("--dataset", "tox21", "--source", source, "--out", tmp_path / name, *more)
    assert done.exit_code == 0, done.output
    return tmp_path / name


def test_the_last_three_tasks_are_the_test_fold(tmp_path, tox21):
    out = made(tmp_path, tox21)
    assert sorted(path.name for path in out.iterdir()) == [
        "dataset.json", "test.parquet", "train.parquet",
    ]  # fmt: skip
    assert [t.assay_id for t in open_store(out / "train.parquet", workers=1)] == list(TOX21[:9])
    assert [t.assay_id for t in open_store(out / "test.parquet", workers=1)] == list(TOX21[9:])


def test_a_missing_label_is_no_row_and_the_others_stand_as_in_the_file(tmp_path, tox21):
    rows = pq.read_table(made(tmp_path, tox21) / "test.parquet").to_pylist()
    found = [(row["smiles"], row["label"]) for row in rows if row["assay_id"] == "SR-p53"]
    expected = [(MOLECULES[i], (i + 11) % 3 // 2) for i in range(40) if i % 12 != 11]
    assert found == expected


def test_a_folder_that_holds_the_file_will_do(tmp_path, tox21):
    one, other = made(tmp_path, tox21), made(tmp_path, tox21.parent, name="other")
    for name in ("train.parquet", "test.parquet", "dataset.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_compound_twice_in_a_task_is_merged_and_a_contradiction_dropped(tmp_path):
    labels = [["1"] * 12, ["1"] * 11 + ["0"], ["0"] * 12]
    source = write(tmp_path / "tox21.csv.gz", ["CCO", "OCC", "CCCl"], labels)
    out = made(tmp_path, source)
    rows = pq.read_table(out / "test.parquet").to_pylist()
    found = [(row["assay_id"], row["smiles"], row["label"]) for row in rows]
    assert found == [
        ("SR-HSE", "CCO", 1), ("SR-HSE", "CCCl", 0), ("SR-MMP", "CCO", 1), ("SR-MMP", "CCCl", 0),
        ("SR-p53", "CCCl", 0),
    ]  # fmt: skip
    counts = json.loads((out / "dataset.json").read_text())["counts"]
    assert sum(counts["merged"].values()) == 11
    assert counts["dropped"] == {"rows whose labels contradict each other": 2}


def test_small_tasks_are_left_out_and_counted_where_the_protocol_says_so(
    tmp_path, tox21, monkeypatch
):
    # Task j lacks 4 of the 40 labels for j below 4, and 3 for the others.
    monkeypatch.setitem(DATA_SETS, "tox21", replace(DATA_SETS["tox21"], smallest_task=37))
    out = made(tmp_path, tox21)
    assert [t.assay_id for t in open_store(out / "train.parquet", workers=1)] == list(TOX21[4:9])
    counts = json.loads((out / "dataset.json").read_text())["counts"]
    assert counts["dropped"] == {"tasks of fewer than 37 measurements": 4}


@pytest.mark.parametrize("split", ["scaffold", "butina"])
def test_folds_by_molecules_share_none_and_lose_none(tmp_path, tox21, split):
    out = made(tmp_path, tox21, "--split", split)
    folds = [pq.read_table(out / f"{fold}.parquet") for fold in ("train", "valid", "test")]
    smiles = [set(fold["smiles"].to_pylist()) for fold in folds]
    assert set.union(*smiles) == set(MOLECULES[:40])
    assert sum(map(len, smiles)) == 40
    assert len(smiles[0]) >= 30
    assert all(fold["assay_id"].unique().to_pylist() == list(TOX21) for fold in folds[:1])


def test_a_scaffold_is_in_one_fold(tmp_path, tox21):
    out = made(tmp_path, tox21, "--split", "scaffold")
    scaffolds = []
    for fold in ("train", "valid", "test"):
        smiles = pc.unique(pq.read_table(out / f"{fold}.parquet")["smiles"]).to_pylist()
        # Those of the molecules without counter-ions.
        parents = [Chem.MolFromSmiles(read_smiles(text).smiles) for text in smiles]
        scaffolds.append({MurckoScaffoldSmiles(mol=mol) for mol in parents})
    assert sum(map(len, scaffolds)) == len(set.union(*scaffolds))


def test_a_compound_written_in_two_ways_is_in_one_fold(tmp_path):
    ways = ["CC(=O)Nc1ccc(O)cc1", "Oc1ccc(NC(C)=O)cc1", "CC(=O)Nc1ccc([O-])cc1.[Na+]"]
    smiles = [*(text for text in MOLECULES[:40] if text != ways[0]), *ways]
    # Each way in a task of its own, so that none is merged into another.
    labels = [["1"] * 12] * (len(smiles) - 3)
    labels += [["1" if i == j else "" for j in range(12)] for i in range(3)]
    source = write(tmp_path / "tox21.csv.gz", smiles, labels)
    out = made(tmp_path, source, "--split", "scaffold")
    folds = [set(pq.read_table(out / f"{f}.parquet")["smiles"].to_pylist())
             for f in ("train", "valid", "test")]  # fmt: skip
    assert sum(bool(fold & set(ways)) for fold in folds) == 1


def test_butina_refuses_what_would_not_fit_the_memory(tmp_path, tox21, monkeypatch):
    monkeypatch.setattr(moleculenet, "MOST_FOR_BUTINA", 39)
    out = tmp_path / "out"
    done = run("--dataset", "tox21", "--source", tox21, "--split", "butina", "--out", out)
    assert done.exit_code == 2
    assert "these are 40; it takes up to 39" in done.output
    assert not out.exists()


def test_one_task_is_split_by_scaffold_unless_asked_otherwise(tmp_path):
    path = tmp_path / "HIV.csv"
    lines = [f"{text},CI,{i % 2}" for i, text in enumerate(MOLECULES[:40])]
    path.write_text("\n".join(["smiles,activity,HIV_active", *lines]) + "\n", encoding="utf-8")
    done = run("--dataset", "hiv", "--source", path, "--out", tmp_path / "hiv")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "hiv" / "valid.parquet").exists()
    done = run("--dataset", "hiv", "--source", path, "--split", "tasks", "--out", tmp_path / "x")
    assert done.exit_code == 2
    assert "No split of HIV by tasks is published" in done.output


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("clintox", "smiles", ["FDA_APPROVED", "CT_TOX"]),
        ("bbbp", "smiles", ["p_np"]),
        ("bace", "mol", ["Class"]),
    ],
)
def test_deepchem_knows_the_columns_of_the_small_sets_too(tmp_path, name, text, columns):
    path = tmp_path / DATA_SETS[name].file
    rows = [",".join([smiles, *["1"] * len(columns)]) for smiles in MOLECULES[:40]]
    content = "\n".join([",".join([text, *columns]), *rows]).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    done = run("--dataset", name, "--source", path, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert [t.assay_id for t in open_store(tmp_path / "out", workers=1)] == columns


def test_the_first_and_last_five_of_pcba_are_the_test_fold(tmp_path):
    with quiet_deepchem() as deepchem:
        tasks = deepchem.molnet.load_function.pcba_datasets.PCBA_TASKS
    rows = [",".join([*["0"] * len(tasks), f"CID{i}", MOLECULES[i]]) for i in range(5)]
    content = "\n".join([",".join([*tasks, "mol_id", "smiles"]), *rows]).encode()
    path = tmp_path / "pcba.csv.gz"
    path.write_bytes(gzip.compress(content))
    done = run("--dataset", "pcba", "--source", path, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    test = [t.assay_id for t in open_store(tmp_path / "out" / "test.parquet", workers=1)]
    assert test == [*tasks[:5], *tasks[-5:]]
    assert len(open_store(tmp_path / "out" / "train.parquet", workers=1)) == 118


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:100],
        lambda content: b"<html>not found</html>",
        lambda content: gzip.compress(b"smiles,other\nCCO,1\n"),
        lambda content: gzip.compress(gzip.decompress(content).replace(b",0,", b",high,", 1)),
        lambda content: b"",
    ],
    ids=["truncated", "html", "other-columns", "a-word", "empty"],
)
def test_a_file_that_is_not_the_data_set_is_refused_and_leaves_nothing(tmp_path, tox21, damage):
    tox21.write_bytes(damage(tox21.read_bytes()))
    done = run("--dataset", "tox21", "--source", tox21, "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "cannot be read as DeepChem's tox21.csv.gz" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["tox21.csv.gz"]


def test_another_file_than_the_published_one_is_refused(tmp_path, tox21, monkeypatch):
    monkeypatch.setitem(DATA_SETS, "tox21", replace(DATA_SETS["tox21"], sha256="0" * 64))
    done = run("--dataset", "tox21", "--source", tox21, "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "is not the published tox21.csv.gz" in done.output


def test_without_deepchem_it_says_so(tmp_path, tox21, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepchem", None)
    done = run("--dataset", "tox21", "--source", tox21, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "DeepChem is not installed" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "n_train", "first_test"),
    [
        ("tox21", 9, "SR-HSE"),
        ("sider", 21, "Renal and urinary disorders"),
        ("muv", 12, "MUV-832"),
        ("toxcast", 362, "NVS_MP_hPBR"),
    ],
)
def test_the_published_columns_stand_in_the_order_that_positions_count(
    shared_data, name, n_train, first_test
):
    path = shared_data / "moleculenet" / DATA_SETS[name].file
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        tasks = [column for column in rows.fieldnames or () if column not in ("smiles", "mol_id")]
        counts = dict.fromkeys(tasks, 0)
        for row in rows:
            for task in tasks:
                counts[task] += row[task] != ""
    with quiet_deepchem() as deepchem:
        module = getattr(deepchem.molnet.load_function, f"{name}_datasets")
        assert list(getattr(module, f"{name.upper()}_TASKS")) == tasks
    data = DATA_SETS[name]
    large = {task for task, count in counts.items() if count >= data.smallest_task}
    test = [task for i, task in enumerate(tasks) if i in data.test_tasks and task in large]
    assert test[0] == first_test
    assert len(large) - len(test) == n_train
    assert len(test) == {"tox21": 3, "sider": 6, "muv": 5, "toxcast": 156}[name]
