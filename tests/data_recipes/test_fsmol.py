"""FS-Mol from a small tar of the published layout, with all the fields of its lines."""

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from data_recipes import fsmol, fsmol_files
from data_recipes.sources import Source

ROOT = Path(__file__).parents[2]
SMILES = ("CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCl", "CCBr")
COLUMNS = ["assay_id", "smiles", "label", "value", "log_value", "relation", "assay_type"]


def line(assay: str, smiles: str, active: int, **changes: object) -> dict[str, Any]:
    """One line as published; the numbers are text, and the features are long."""
    return {
        "SMILES": smiles,
        "Property": f"{active}.0",
        "Assay_ID": assay,
        "RegressionProperty": "2700.0",
        "LogRegressionProperty": "5.568636235841013",
        "Relation": "=",
        "AssayType": "B",
        "fingerprints": [0, 1] * 1024,
        "descriptors": [0.5, 1.25] * 100,
        "graph": {
            "adjacency_lists": [[[0, 1], [1, 2]], [], []],
            "node_types": ["C", "C", "O"],
            "node_features": [[0.0, 1.0]] * 3,
        },
        **changes,
    }


def packed(lines: Iterable[dict[str, Any] | bytes]) -> bytes:
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
    return gzip.compress(b"".join(text + b"\n" for text in texts), mtime=0)


def assay(name: str, n: int = 4) -> bytes:
    return packed(line(name, smiles, i % 2) for i, smiles in enumerate(SMILES[:n]))


def make_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


MEMBERS = {
    "fs-mol/valid/CHEMBL30.jsonl.gz": assay("CHEMBL30"),
    "fs-mol/train/CHEMBL2.jsonl.gz": assay("CHEMBL2", 5),
    "fs-mol/train/CHEMBL10.jsonl.gz": assay("CHEMBL10", 6),
    "fs-mol/test/CHEMBL7.jsonl.gz": assay("CHEMBL7"),
}


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return make_tar(tmp_path / "fs-mol-dataset.tar", MEMBERS)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(fsmol.main, [str(argument) for argument in arguments])


def made(source: Path, *options: object, out: str = "out") -> tuple[Path, dict[str, Any]]:
    """The folder made of `source`, beside it, and its dataset.json."""
    folder = source.parent / out
    result = run("--source", source, "--out", folder, *options)
    assert result.exit_code == 0, result.output
    return folder, json.loads((folder / "dataset.json").read_text())


def refused(source: Path, code: int, *options: object) -> str:
    """The sentence with which `source` is refused, after which nothing is left."""
    before = set(source.parent.iterdir())
    result = run("--source", source, "--out", source.parent / "out", *options)
    assert result.exit_code == code, result.output
    assert set(source.parent.iterdir()) == before
    assert "Traceback" not in result.output
    return result.output


def rows_of(path: Path, column: str) -> list[Any]:
    return pq.read_table(path)[column].to_pylist()


def test_the_folds_are_those_of_the_tar_with_rows_in_their_order(tar):
    out, document = made(tar)
    train = pq.read_table(out / "train.parquet")
    assert train.column_names == COLUMNS
    assert train["assay_id"].to_pylist() == ["CHEMBL10"] * 6 + ["CHEMBL2"] * 5
    assert train["smiles"].to_pylist() == [*SMILES, *SMILES[:5]]
    assert train["label"].to_pylist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert set(train["value"].to_pylist()) == {2700.0}
    assert set(train["log_value"].to_pylist()) == {5.568636235841013}
    assert rows_of(out / "valid.parquet", "assay_id") == ["CHEMBL30"] * 4
    assert rows_of(out / "test.parquet", "assay_id") == ["CHEMBL7"] * 4
    assert document["counts"] == {"kept": {"assays": 4, "rows": 19}}
    assert document["licence"] == "CC BY-SA 3.0"
    assert document["inputs"] == {
        tar.name: {
            "bytes": tar.stat().st_size,
            "sha256": hashlib.sha256(tar.read_bytes()).hexdigest(),
        }
    }


def test_the_same_input_gives_the_same_bytes(tar):
    files = [
        {path.name: path.read_bytes() for path in made(tar, out=out)[0].glob("*.[pj]*")}
        for out in ("one", "two")
    ]
    assert set(files[0]) == {"train.parquet", "valid.parquet", "test.parquet", "dataset.json"}
    assert files[0] == files[1]


def test_the_order_of_the_tar_and_its_packing_do_not_matter(tar, tmp_path):
    (tmp_path / "a").mkdir()
    other = make_tar(tmp_path / "a/other.tar", dict(reversed(MEMBERS.items())))
    other.write_bytes(gzip.compress(other.read_bytes()))
    one, two = made(tar)[0], made(other)[0]
    for fold in fsmol.FOLDS:
        name = f"{fold}.parquet"
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("top", ["", "fs-mol"])
def test_an_unpacked_folder_gives_the_same(tar, tmp_path, top):
    folder = tmp_path / "unpacked"
    for name, content in MEMBERS.items():
        path = folder / top / name.removeprefix("fs-mol/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / top / "train" / "._CHEMBL2.jsonl.gz").write_text("left by an archiver")
    one, (two, document) = made(tar)[0], made(folder, out="two")
    for fold in fsmol.FOLDS:
        name = f"{fold}.parquet"
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert set(document["inputs"]) == set(fsmol.FOLDS)


def test_parquet_gives_the_same(tar):
    out = made(tar)[0]
    again = made(out, out="again")[0]
    assert (again / "train.parquet").read_bytes() == (out / "train.parquet").read_bytes()
    alone, document = made(out / "valid.parquet", out="../alone")
    assert [path.name for path in alone.glob("*.parquet")] == ["valid.parquet"]
    assert document["counts"]["kept"] == {"assays": 1, "rows": 4}


@pytest.mark.parametrize("is_beside", [True, False])
def test_the_task_list_decides(tar, tmp_path, is_beside):
    lists = {"train": ["CHEMBL10", "CHEMBL7", "CHEMBL99"], "valid": ["CHEMBL30"], "test": []}
    path = tmp_path / ("fsmol-0.1.json" if is_beside else "mine.json")
    path.write_text(json.dumps(lists))
    out, document = made(tar, *(() if is_beside else ("--tasks", path)))
    assert rows_of(out / "train.parquet", "assay_id") == ["CHEMBL10"] * 6 + ["CHEMBL7"] * 4
    assert not (out / "test.parquet").exists()
    assert document["settings"] == {"task_list": path.name}
    assert set(document["inputs"]) == {tar.name, path.name}
    assert document["counts"] == {
        "kept": {"assays": 3, "rows": 14},
        "dropped": {"assays that the task list does not name": 1},
        "noted": {"assays of the task list for train that the source lacks": 1},
    }


def test_without_a_task_list_this_is_said(tar):
    result = run("--source", tar, "--out", tar.parent / "out")
    assert "There was no task list: every assay is kept" in result.output


def test_every_row_is_kept_and_repeats_are_counted(tmp_path):
    lines = [("CCO", 1), ("OCC", 1), ("CCN", 1), ("NCC", 0), ("C(", 1), ("CCO", 1)]
    content = packed(line("CHEMBL1", smiles, active) for smiles, active in lines)
    out, document = made(make_tar(tmp_path / "x.tar", {"train/CHEMBL1.jsonl.gz": content}))
    assert rows_of(out / "train.parquet", "smiles") == [smiles for smiles, _ in lines]
    assert document["counts"]["noted"] == {
        "rows of train whose molecule cannot be read": 1,
        "rows of train that repeat a compound of their assay": 3,
        "compounds of train both active and inactive": 1,
    }


def test_values_are_read_as_they_are_and_absent_ones_are_null(tmp_path):
    lines = [
        line("CHEMBL1", "CCO", 1, Relation=">", AssayType="F"),
        line("CHEMBL1", "CCN", 1, Relation=None, AssayType=None),
        line("CHEMBL1", "CCC", 1, LogRegressionProperty=None, RegressionProperty="-3.5"),
        line("CHEMBL1", "CCS", 1, LogRegressionProperty="nan", RegressionProperty="none"),
        line("CHEMBL1", "CCF", 0, Relation="!!"),
    ]
    source = make_tar(tmp_path / "x.tar", {"train/CHEMBL1.jsonl.gz": packed(lines)})
    out, document = made(source)
    table = pq.read_table(out / "train.parquet").to_pydict()
    assert table["relation"] == [">", "", "=", "=", ""]
    assert table["assay_type"] == ["F", "", "B", "B", "B"]
    assert table["value"] == [2700.0, 2700.0, -3.5, None, None]
    assert table["log_value"] == [5.568636235841013, 5.568636235841013, None, None, None]
    assert table["label"] == [1, 1, 1, 1, 0]
    noted = document["counts"]["noted"]
    assert noted == {"rows without their value, whose relation is not known": 1}


def test_lines_that_say_nothing_are_dropped_and_counted(tmp_path):
    bad: list[dict[str, Any] | bytes] = [
        *(b"{", b"[]", b"1", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"SMILES": "CCO"}'),
        *({"SMILES": "C", "Property": "maybe"}, {"SMILES": "C", "Property": None}),
    ]
    odd = [line("A", "C", 2), line("A", "\ud800", 1), line("A", "С", 1), line("A", 5, 1)]  # type: ignore[arg-type]
    lines = [line("A", "CCO", 1), *bad, *odd, b"", line("A", "CCN", 0)]
    source = make_tar(tmp_path / "x.tar", {"train/CHEMBL1.jsonl.gz": packed(lines)})
    out, document = made(source)
    assert rows_of(out / "train.parquet", "smiles") == ["CCO", "CCN"]
    assert document["counts"]["dropped"] == {
        "lines that are no JSON with a SMILES and a Property": len(bad),
        "lines whose SMILES is no ASCII text or whose Property is not 0 or 1": len(odd),
    }


def test_hostile_members_write_nothing_and_are_counted(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    source = folder / "x.tar"
    content = assay("CHEMBL1")
    with tarfile.open(source, "w") as tar:
        for name in ("../../escaped.jsonl.gz", "/tmp/escaped.sh", "train/README", *MEMBERS):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("train/CHEMBL5.jsonl.gz")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    out, document = made(source)
    assert document["counts"]["dropped"] == {"members of the tar that are no assay": 6}
    assert document["outputs"]["train.parquet"]["assays"] == 2
    assert {path.name for path in folder.iterdir()} == {"x.tar", "out"}
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
    assert len(list(out.glob("*.parquet"))) == 3


def test_a_line_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fsmol_files, "_MAX_LINE", 10_000)
    content = packed([line("A", "C" * 10_000, 1)])
    source = make_tar(tmp_path / "x.tar", {"train/CHEMBL1.jsonl.gz": content})
    assert "has a line of more than 10,000 bytes" in refused(source, 3)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.3, 0.5, 0.7])
def test_a_tar_that_is_cut_short_is_refused_wherever_it_is_cut(tar, share):
    content = tar.read_bytes()
    end = content.rstrip(b"\0")
    tar.write_bytes(content[: int(share * len(end))])
    assert "is damaged or cut short" in refused(tar, 3)


def test_a_tar_with_a_damaged_byte_is_refused(tar):
    content = bytearray(tar.read_bytes())
    start = content.find(b"fs-mol/train/CHEMBL10")
    for place in (start + 5, start + 512 + 60):  # in a header, and in what is packed
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        tar.write_bytes(damaged)
        assert "is damaged or cut short" in refused(tar, 3)


def test_a_member_that_is_not_packed_is_refused(tmp_path):
    source = make_tar(tmp_path / "x.tar", {"train/CHEMBL1.jsonl.gz": b"not gzip"})
    assert "train/CHEMBL1.jsonl.gz in" in refused(source, 3)


def test_an_assay_that_is_there_twice_is_refused(tmp_path):
    members = {"train/CHEMBL1.jsonl.gz": assay("A"), "valid/CHEMBL1.jsonl.gz": assay("A")}
    assert "holds the assay CHEMBL1 twice" in refused(make_tar(tmp_path / "x.tar", members), 3)


def test_what_is_not_fs_mol_is_refused(tmp_path):
    (tmp_path / "text").write_text("hello\n" * 1000)
    assert "is damaged or cut short" in refused(tmp_path / "text", 3)
    wrong = make_tar(tmp_path / "wrong.tar", {"data.csv": b"a,b\n"})
    assert "holds no assay of FS-Mol" in refused(wrong, 3)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "holds no assay of FS-Mol" in refused(folder, 3)
    assert "There is no file or folder" in refused(tmp_path / "absent", 3)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "train.parquet")
    assert "has no column assay_id, label, smiles" in refused(tmp_path / "train.parquet", 3)
    (tmp_path / "train.parquet").rename(tmp_path / "assays.parquet")
    assert "is of no known fold" in refused(tmp_path / "assays.parquet", 3)
    (tmp_path / "valid.parquet").write_text("PAR1")
    assert "not a readable Parquet file" in refused(tmp_path / "valid.parquet", 3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no task list"),
        ("[1]", "is no task list"),
        ('{"train": 5}', "is no task list"),
        ('{"train": []}', "it names no assays"),
        ('{"train": [5]}', "it names no assays"),
        ('{"train": ["A", "B"], "test": ["B"]}', "puts 1 assays into two folds"),
        ('{"train": ["CHEMBL0"]}', "holds no assay of FS-Mol that the task list names"),
    ],
)
def test_a_task_list_that_is_none_is_refused(tar, tmp_path, content, told):
    (tmp_path / "fsmol-0.1.json").write_text(content)
    assert told in refused(tar, 3)


def test_an_existing_folder_is_kept_unless_told_otherwise(tar):
    out, _ = made(tar)
    before = (out / "train.parquet").stat().st_ino
    result = run("--source", tar, "--out", out)
    assert result.exit_code == 6
    assert "exists already" in result.output
    assert (out / "train.parquet").stat().st_ino == before
    made(tar, "--overwrite")
    assert (out / "train.parquet").stat().st_ino != before


def test_without_a_source_both_files_are_downloaded(tar, tmp_path, monkeypatch):
    (tmp_path / "list.json").write_text(json.dumps({"train": ["CHEMBL2"]}))
    copies = {fsmol.TAR: tar, fsmol.TASK_LIST: tmp_path / "list.json"}

    def fetched(source: Source) -> Path:
        return copies[source]

    monkeypatch.setattr(fsmol, "fetch", fetched)
    result = run("--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "out").glob("*.parquet")] == ["train.parquet"]
    assert "dropped: 3 assays that the task list does not name" in result.output


def test_the_leaks_between_the_folds_are_told(tar):
    result = run("--source", tar, "--out", tar.parent / "out")
    table = [text.split() for text in result.output.splitlines()]
    assert ["valid", "train", "4", "of", "4"] in [cells[:5] for cells in table]


def test_a_kill_at_any_moment_leaves_no_half_store(tar):
    out = tar.parent / "out"
    command = [sys.executable, "-m", "data_recipes.fsmol", "--source", tar, "--out", out]
    started = time.monotonic()
    whole = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    took = time.monotonic() - started
    expected = {path.name: path.read_bytes() for path in out.glob("*.[pj]*")}
    assert b"train.parquet: 11 rows of 2 assays" in whole.stdout
    for share in (0.7, 0.95):
        for path in out.iterdir():
            path.unlink()
        out.rmdir()
        with subprocess.Popen(command, cwd=ROOT, stdout=-3, stderr=-3) as process:
            time.sleep(share * took)
            os.kill(process.pid, signal.SIGKILL)
        if not out.exists():
            run("--source", tar, "--out", out)
        assert {path.name: path.read_bytes() for path in out.glob("*.[pj]*")} == expected
        assert {path.name for path in tar.parent.iterdir()} == {"out", tar.name}


def test_real_parquet_comes_out_as_it_went_in(shared_data, tmp_path):
    source = tmp_path / "valid.parquet"
    real = pq.read_table(shared_data / "fsmol/valid.parquet")
    counts = Counter(real["assay_id"].to_pylist())
    few = [name for name, n in counts.items() if n < 150]
    assert len(few) >= 3
    real = real.filter(pc.is_in(real["assay_id"], pa.array(few, pa.large_string())))
    pq.write_table(real, source)
    out, _ = made(source)
    made_again = pq.read_table(out / "valid.parquet")
    assert made_again.replace_schema_metadata(None).equals(real.replace_schema_metadata(None))
