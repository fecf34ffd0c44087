import csv
import errno
import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pyarrow import parquet
from rdkit import Chem, rdBase

from molmeta.assays.outputs import open_output
from molmeta.assays.tables import open_table
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.errors import OutputError
from tests.molecules import MOLECULES

COLUMNS = ("smiles", "id", "score")
ROWS = [
    ("CCO", "007", "0.5"),
    ("CC |$a,b$|", 'say "x"', ""),
    ("", "1E5\nNA", "1e-9"),
    ("=CMD|'/c calc'!A0", "carriage\rreturn", "-1"),
]


def write_rows(path: Path | str, **settings: object) -> None:
    with open_output(path, COLUMNS, **settings) as output:  # type: ignore[arg-type]
        for row in ROWS:
            output.write(row)


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.csv.gz", "o.TSV.ZST", "o.parquet", "o"])
def test_cells_come_back_as_they_were_written(tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / name)
    with open_table(tmp_path / name) as table:
        assert table.columns == COLUMNS
        assert [row.cells for row in table] == ROWS
    assert os.listdir(tmp_path) == [name]


def test_csv_is_utf_8_with_line_feeds_and_few_quotes(tmp_path: Path) -> None:
    with open_output(tmp_path / "o.csv", ["a", "b"]) as output:
        output.write(["µ", "x,y"])
        output.write(["lone \ud800", "z"])
    assert (tmp_path / "o.csv").read_bytes() == b'a,b\n\xc2\xb5,"x,y"\nlone \\ud800,z\n'


def test_parquet_holds_numbers_where_told(tmp_path: Path) -> None:
    write_rows(tmp_path / "o.parquet", numeric=["score"])
    table = parquet.read_table(tmp_path / "o.parquet")
    assert table["score"].to_pylist() == [0.5, None, 1e-9, -1.0]
    assert table["id"].to_pylist() == [row[1] for row in ROWS]


def test_parquet_of_many_rows_is_written_in_groups(tmp_path: Path) -> None:
    with open_output(tmp_path / "o.parquet", ["n"]) as output:
        for n in range(25_000):
            output.write([str(n)])
    file = parquet.ParquetFile(tmp_path / "o.parquet")
    assert file.num_row_groups == 3
    assert file.read()["n"].to_pylist() == [str(n) for n in range(25_000)]
    file.close()


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for end in (".csv.gz", ".csv.zst", ".sdf", ".parquet"):
        for name in ("a", "b"):
            write_rows(tmp_path / (name + end))
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"smiles,id,score\n")


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(tmp_path: Path) -> None:  # E5
    path = tmp_path / "o.csv"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_rows(path)
    assert path.read_text() == "precious"
    write_rows(path, overwrite=True)
    assert path.read_text().startswith("smiles")


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:  # E5
    path = tmp_path / "o.csv"
    with pytest.raises(OutputError, match="exists already"), open_output(path, COLUMNS):
        path.write_text("precious")
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["o.csv"]


def test_the_file_being_read_is_never_the_output(tmp_path: Path) -> None:  # B34
    path = tmp_path / "library.csv"
    path.write_text("smiles\nCCO\n")
    (tmp_path / "link.csv").symlink_to(path)
    for same in (path, tmp_path / "link.csv", tmp_path / ".." / tmp_path.name / "library.csv"):
        with pytest.raises(OutputError, match="is the file being read"):
            write_rows(same, overwrite=True, inputs=["-", path])
    assert path.read_text() == "smiles\nCCO\n"


def test_a_place_that_cannot_be_written_is_refused_on_entering(tmp_path: Path) -> None:  # E6
    (tmp_path / "file").touch()
    places: dict[str, Path | str] = {
        "no folder": tmp_path / "none" / "o.csv",
        "is a folder": tmp_path,
        "there is no folder": tmp_path / "file" / "o.csv",
        "File name too long": tmp_path / ("a" * 300 + ".csv"),
        "null byte": "a\0b.csv",
        "no 'xlsx' files": tmp_path / "o.xlsx",
    }
    for said, path in places.items():
        with pytest.raises(OutputError, match=said), open_output(path, COLUMNS):
            pytest.fail("entered")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused_on_entering(tmp_path: Path) -> None:  # E6
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"), open_output(tmp_path / "o.csv", []):
        pytest.fail("entered")


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:  # E16
    name = "ü \n" + "a" * 247 + ".csv"
    write_rows(tmp_path / name)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.csv.zst", "o.sdf", "o.parquet"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_no_file_and_passes_unchanged(
    tmp_path: Path, name: str, error: type[BaseException]
) -> None:
    def fail() -> None:
        with open_output(tmp_path / name, COLUMNS) as output:
            output.write(ROWS[0])
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.csv.zst", "o.sdf", "o.parquet"])
def test_a_full_disk_leaves_the_previous_file_and_no_part(tmp_path: Path, name: str) -> None:  # E7
    (tmp_path / name).write_text("precious")
    program = f"""
import random, resource, sys
from molmeta.assays.outputs import open_output
from molmeta.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with open_output({str(tmp_path / name)!r}, ["smiles"], overwrite=True) as output:
        for n in range(25_000):
            output.write([str(random.random())])
except OutputError as error:
    sys.exit(str(error))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stderr.strip() == f"{tmp_path / name} cannot be written: File too large"
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:  # E7
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail) if call == "fsync" else monkeypatch.setattr(
        Path, "replace", fail
    )
    with pytest.raises(OutputError, match="No space left on device"):
        write_rows(tmp_path / "o.csv")
    assert os.listdir(tmp_path) == []


def test_smi_has_the_molecule_first_and_a_line_a_row(tmp_path: Path) -> None:
    with open_output(tmp_path / "o.smi", ["id", "Mol", "score"], smiles_column="Mol") as output:
        output.write(["007", "CCO", "0.5"])
        output.write(["1E5\t\nNA", "", ""])
    text = (tmp_path / "o.smi").read_text()
    assert text == "smiles\tid\tscore\nCCO\t007\t0.5\n\t1E5  NA\t\n"
    with open_table(tmp_path / "o.smi") as table:
        assert [row.smiles for row in table] == ["CCO", ""]


def test_sdf_keeps_every_row_and_every_cell(tmp_path: Path) -> None:
    columns = ["id", "smiles", "", "x", "x", "note"]
    rows = [
        ("007", "C[C@H](N)C(=O)O.Cl", "1-Mar", "a", "b", "two\n\nlines\n$$$$"),
        ("$$$$", "C1CC", "", "NA", "1E5", ""),
        ("", "", "", "", "", "> <x>"),
        ("big", "C" * 300, "", "", "", "café"),
    ]
    with open_output(tmp_path / "o.sdf", columns) as output:
        for cells in rows:
            output.write(cells)
    with open_table(tmp_path / "o.sdf") as table:
        found = list(table)
    assert table.columns == (
        *("record_smiles", "title", "id", "smiles", "column_3", "x", "x_5", "note"),
    )
    assert [row.smiles for row in found] == ["C[C@H](N)C(=O)O", "", "", "C" * 300]
    assert [row.problem.status if row.problem else "ok" for row in found] == [
        *("ok", "empty", "empty", "ok")
    ]
    assert [row.cells[1] for row in found] == ["007", " $$$$", "", "big"]
    # Only what would end the item or the record is changed, by a blank.
    assert found[0].cells[2:] == (*rows[0][:5], "two\n \nlines\n $$$$")
    assert found[1].cells[2:] == (" $$$$", *rows[1][1:])
    assert [row.cells[2:] for row in found[2:]] == rows[2:]


def test_rdkit_reads_the_sdf_as_it_was_meant(tmp_path: Path) -> None:
    with open_output(tmp_path / "o.sdf", ["name", "smiles", "score"]) as output:
        for place, smiles in enumerate(MOLECULES):
            output.write([f"m{place}", smiles, ""])
    with rdBase.BlockLogs():
        found = list(Chem.SDMolSupplier(str(tmp_path / "o.sdf")))
    assert len(found) == len(MOLECULES)
    stereo_lost = 0
    for place, (mol, smiles) in enumerate(zip(found, MOLECULES, strict=True)):
        molecule = read_smiles(smiles)
        assert isinstance(molecule, Molecule)
        flat = [Chem.MolToSmiles(m, isomericSmiles=False) for m in (mol, molecule.mol)]
        assert flat[0] == flat[1]
        stereo_lost += Chem.MolToSmiles(mol) != molecule.smiles
        assert mol.GetPropsAsDict() == {"name": f"m{place}", "smiles": smiles, "score": ""}
        assert mol.GetProp("_Name") == f"m{place}"
    # In the flat drawing of artemisinin two neighbours of a bridgehead lie over each other.
    assert stereo_lost <= 1


@pytest.mark.parametrize("smiles", ["CC=CC", "C/C=C/C", "CC(F)Cl", "C/C=N/N=C(C)CC"])
def test_a_drawing_says_no_stereo_that_the_smiles_does_not(tmp_path: Path, smiles: str) -> None:
    with open_output(tmp_path / "o.sdf", ["smiles"]) as output:
        output.write([smiles])
    with open_table(tmp_path / "o.sdf") as table:
        (row,) = table
    assert row.smiles == Chem.CanonSmiles(smiles)


@pytest.mark.parametrize("name", ["o.smi", "o.sdf"])
def test_a_format_of_molecules_needs_a_column_of_them(tmp_path: Path, name: str) -> None:
    columns = ["id", "m"]
    with pytest.raises(OutputError, match="column"), open_output(tmp_path / name, columns):
        pytest.fail("entered")
    assert os.listdir(tmp_path) == []


def test_formulas_are_escaped_on_request_and_numbers_never(tmp_path: Path) -> None:  # A74
    row = ["=CMD|'/c calc'!A0", "-1.5", "+x", "@x", "C=O", "-1e-9", "-", "\t=1"]
    for escape in (False, True):
        with open_output(
            tmp_path / "o.csv", list("abcdefgh"), overwrite=True, escape_formulas=escape
        ) as output:
            output.write(row)
        with (tmp_path / "o.csv").open(newline="") as file:
            _, found = csv.reader(file)
        escaped = ["'" + row[0], "-1.5", "'+x", "'@x", "C=O", "-1e-9", "'-", "'\t=1"]
        assert found == (escaped if escape else row)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_device_is_written_as_it_is() -> None:  # E7
    with pytest.raises(OutputError, match="No space left on device"):
        write_rows("/dev/full")
    write_rows("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_stdout_is_written_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    write_rows("-")
    text = stdout.buffer.getvalue().decode()
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == [COLUMNS, *ROWS]


def test_a_closed_pipe_is_no_output_error(tmp_path: Path) -> None:  # E4
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: pipe.open("rb").close())
    reader.start()

    def write() -> None:
        with open_output(pipe, COLUMNS) as output:
            reader.join()
            for _ in range(100_000):
                output.write(ROWS[0])

    with pytest.raises(BrokenPipeError):
        write()


def test_the_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "target.csv")
    write_rows(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "target.csv").read_text().startswith("smiles")


def test_the_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_rows(tmp_path / "o.csv")
    assert (tmp_path / "o.csv").stat().st_mode == (tmp_path / "usual").stat().st_mode
