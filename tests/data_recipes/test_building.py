"""The folder that a recipe makes: what is in it, and that it is whole or not there."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_recipes import building as building_module
from data_recipes.building import About, building
from molmeta.assays.store import open_store
from molmeta.errors import InputError, OutputError

ROOT = Path(__file__).parents[2]
ABOUT = About("table", "Panel 1", "https://example.org", "CC0", "Nobody 2020", "2020-01-31")
ROWS = {
    "assay_id": ["A", "A", "B"],
    "smiles": ["CCO", "CCN", "CCO"],
    "label": [1, 0, 1],
    "log_value": [5.0, None, 6.5],
    "target_family": ["kinase", "kinase", "GPCR"],
}


def write(out: Path, rows: dict[str, list[object]] = ROWS, **options: bool) -> None:
    with building(out, ABOUT, **options) as build:
        build.write("assays", pa.table(rows))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_store_holds_the_rows_and_tells_what_became_of_them(tmp_path):
    source = tmp_path / "panel.csv"
    source.write_text("smiles\n")
    with building(tmp_path / "out", ABOUT) as build:
        assert build.read(source) == source
        build.settings["threshold"] = 6
        build.count("dropped", "rows without a unit", 2)
        build.count("dropped", "rows without a unit")
        build.count("merged", "nothing", 0)
        build.write("train", pa.table(ROWS))
        build.write("valid", pa.table(ROWS).slice(2))
    out = tmp_path / "out"
    assert names(tmp_path) == ["out", "panel.csv"]
    document = json.loads((out / "dataset.json").read_text())
    assert document == {
        "format": 1,
        "recipe": "table",
        "name": "Panel 1",
        "url": "https://example.org",
        "licence": "CC0",
        "citation": "Nobody 2020",
        "released": "2020-01-31",
        "settings": {"threshold": 6},
        "inputs": {"panel.csv": {"bytes": 7, "sha256": sha256(source)}},
        "outputs": {
            name: {
                "rows": rows,
                "assays": assays,
                "bytes": (out / name).stat().st_size,
                "sha256": sha256(out / name),
            }
            for name, rows, assays in (("train.parquet", 3, 2), ("valid.parquet", 1, 1))
        },
        "counts": {"kept": {"rows": 4, "assays": 3}, "dropped": {"rows without a unit": 3}},
    }
    table = pq.read_table(out / "train.parquet")
    assert table.to_pydict() == ROWS
    assert table.schema.field("label").type == pa.int8()
    assert [task.assay_id for task in open_store(out / "train.parquet")] == ["A", "B"]


def test_columns_stand_in_one_order_whatever_order_they_came_in(tmp_path):
    write(tmp_path / "out", dict(reversed(ROWS.items())))
    assert pq.read_table(tmp_path / "out/assays.parquet").column_names == [
        *("assay_id", "smiles", "label", "log_value", "target_family"),
    ]


def test_the_bytes_do_not_depend_on_how_the_rows_came(tmp_path, monkeypatch):
    monkeypatch.setattr(building_module, "ROW_GROUP", 4)
    table = pa.table({name: cells * 5 for name, cells in ROWS.items()})
    for name, cuts in (("one", [0, 15]), ("two", [0, 1, 9, 9, 15]), ("three", range(16))):
        with building(tmp_path / name, ABOUT) as build:
            build.write("assays", (table.slice(a, b - a) for a, b in pairwise(cuts)))
    for name in ("assays.parquet", "dataset.json"):
        assert len({(tmp_path / out / name).read_bytes() for out in ("one", "two", "three")}) == 1
    file = pq.ParquetFile(tmp_path / "one/assays.parquet")
    assert file.metadata.num_row_groups == 4
    assert file.read().to_pydict() == table.to_pydict()


def test_a_folder_is_recorded_as_sha256sum_would(tmp_path):
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    (folder / "b/c").write_text("2")
    (folder / "a").write_text("1")
    with building(tmp_path / "out", ABOUT) as build:
        build.read(folder)
        build.write("assays", pa.table(ROWS))
    listing = f"{hashlib.sha256(b'1').hexdigest()}  a\n{hashlib.sha256(b'2').hexdigest()}  b/c\n"
    document = json.loads((tmp_path / "out/dataset.json").read_text())
    expected = {"bytes": 2, "sha256": hashlib.sha256(listing.encode()).hexdigest()}
    assert document["inputs"] == {"in": expected}


def test_files_without_a_release_are_dated_by_themselves(tmp_path):
    about = About("table", "Panel", "", "unknown", "")
    for name, day in (("old", 1), ("new", 3)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (86400.0 * day, 86400.0 * day))
    with building(tmp_path / "out", about) as build:
        build.read(tmp_path / "new")
        build.read(tmp_path / "old")
        build.write("assays", pa.table(ROWS))
    assert json.loads((tmp_path / "out/dataset.json").read_text())["released"] == "1970-01-04"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label": [1, 0, 2]}, "a label is neither 0 nor 1"),
        ({"label": [1, 0, None]}, "label is empty"),
        ({"smiles": ["CCO", None, "CCO"]}, "smiles is empty"),
        ({"label": ["yes", "no", "no"]}, "assays.parquet cannot be written"),
        ({name: [] for name in ROWS}, "Nothing is left to write in assays.parquet"),
    ],
)
def test_rows_that_no_store_could_hold_are_refused_and_nothing_is_left(tmp_path, changes, told):
    with pytest.raises(InputError, match=told):
        write(tmp_path / "out", {**ROWS, **changes})
    assert names(tmp_path) == []


def test_whatever_goes_wrong_nothing_is_left(tmp_path):
    def parts(error: BaseException) -> Iterator[pa.Table]:
        yield pa.table(ROWS)
        raise error

    for error in (ValueError("mine"), KeyboardInterrupt(), SystemExit(143)):
        with pytest.raises(type(error)), building(tmp_path / "out", ABOUT) as build:
            build.write("assays", parts(error))
        assert names(tmp_path) == []


@pytest.mark.parametrize("nth", [1, 2])
def test_a_full_disk_is_a_sentence_and_nothing_is_left(tmp_path, monkeypatch, nth):
    calls = iter(range(1, 99))

    def fail(_: int) -> None:
        if next(calls) == nth:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device"):
        write(tmp_path / "out")
    assert names(tmp_path) == []


CHILD = """
import os, resource, signal, sys
from pathlib import Path
import pyarrow as pa
from data_recipes import building as b, whole_folder as w
moment, out = sys.argv[1], Path(sys.argv[2])
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def after(name):
    done = getattr(b, name)
    setattr(b, name, lambda *a: (done(*a), die()))
if moment == "writing": b._checked = die
if moment == "written": b._write_json = die
if moment == "described": after("_write_json")
if moment == "renaming": w._take_place = die
if moment == "between": Path.rename = lambda s, t, r=Path.rename: (r(s, t), die())
if moment == "renamed": w.sync_folder = lambda path: path == out.parent and die()
if moment == "large": resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
rows = dict(assay_id=["A"] * 999, smiles=["C" * (i + 1) for i in range(999)], label=[1] * 999)
with b.building(out, b.About("x", "X", "", "", "", "2020"), overwrite=True) as build:
    build.write("assays", pa.table(rows))
"""


def child(moment: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, moment, str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("moment", ["writing", "written", "described", "renaming"])
def test_a_kill_leaves_no_store_and_no_hindrance(tmp_path, moment):
    out = tmp_path / "out"
    assert child(moment, out).returncode == -signal.SIGKILL
    assert names(tmp_path) == [".out.building"]
    write(out)
    assert names(tmp_path) == ["out"]
    assert pq.read_table(out / "assays.parquet").to_pydict() == ROWS


@pytest.mark.parametrize("moment", ["renaming", "between"])
def test_a_kill_while_replacing_loses_nothing(tmp_path, moment):
    out = tmp_path / "out"
    write(out)
    before = sha256(out / "assays.parquet")
    assert child(moment, out).returncode == -signal.SIGKILL
    assert moment == "renaming" or not out.exists()
    with pytest.raises(OutputError, match="exists already"):
        write(out)
    assert names(tmp_path) == ["out"]
    assert sha256(out / "assays.parquet") == before


def test_a_kill_after_replacing_leaves_the_new_store(tmp_path):
    out = tmp_path / "out"
    write(out)
    assert child("renamed", out).returncode == -signal.SIGKILL
    assert pq.read_table(out / "assays.parquet").num_rows == 999
    write(out, overwrite=True)
    assert names(tmp_path) == ["out"]


def test_a_file_the_disk_cannot_hold_leaves_nothing(tmp_path):
    done = child("large", tmp_path / "out")
    assert "OutputError" in done.stderr
    assert "assays.parquet cannot be written: File too large" in done.stderr
    assert names(tmp_path) == []


def test_what_exists_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "out"
    write(out)
    open_store(out / "assays.parquet")  # leaves its features beside the file
    with pytest.raises(OutputError, match=r"exists already; .* --overwrite"):
        write(out)
    write(out, {name: cells[:1] for name, cells in ROWS.items()}, overwrite=True)
    assert names(out) == ["assays.parquet", "dataset.json"]
    assert pq.read_table(out / "assays.parquet").num_rows == 1
    assert names(tmp_path) == ["out"]


def test_only_what_a_recipe_made_is_replaced(tmp_path):
    out = tmp_path / "out"
    write(out)
    (out / "thesis.docx").write_text("years of work")
    with pytest.raises(OutputError, match=r"it holds thesis.docx, which no recipe wrote"):
        write(out, overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.parquet").write_text("mine")
    with pytest.raises(OutputError, match=r"it holds a.parquet, which no recipe wrote"):
        write(other, overwrite=True)
    assert names(other) == ["a.parquet"]
    assert names(out) == ["assays.parquet", "dataset.json", "thesis.docx"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert names(tmp_path / "out") == ["assays.parquet", "dataset.json"]


def test_folders_on_the_way_to_the_store_are_made(tmp_path):
    write(tmp_path / "data" / "new" / "out")
    assert names(tmp_path / "data" / "new") == ["out"]


def test_places_that_cannot_be_are_sentences(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file; name a folder"):
        write(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file/out")
    assert names(tmp_path) == ["file"]


def test_a_link_in_the_place_of_the_working_folder_is_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("")
    (tmp_path / ".out.building").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "out")
    assert names(tmp_path / "precious") == ["file"]


def test_two_runs_do_not_write_one_store(tmp_path):
    with building(tmp_path / "out", ABOUT) as build:
        build.write("assays", pa.table(ROWS))
        with pytest.raises(OutputError, match="Another process is writing"):
            write(tmp_path / "out")
    assert names(tmp_path / "out") == ["assays.parquet", "dataset.json"]


def test_an_input_may_not_lie_in_what_is_replaced(tmp_path):
    out = tmp_path / "out"
    write(out)
    with (
        pytest.raises(InputError, match=r"lies in .*out, which is to be replaced"),
        building(out, ABOUT, overwrite=True) as build,
    ):
        build.read(out / "assays.parquet")
    assert pq.read_table(out / "assays.parquet").num_rows == 3


def test_an_input_that_is_not_there_is_a_sentence(tmp_path):
    with (
        pytest.raises(InputError, match=r"There is no file or folder .*absent"),
        building(tmp_path / "out", ABOUT) as build,
    ):
        build.read(tmp_path / "absent")
    assert names(tmp_path) == []
