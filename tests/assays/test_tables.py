"""Every way in which a file can be odd, by the id of its case (B1 to B35)."""

import gzip
import hashlib
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from rdkit import Chem

from molmeta.assays.outputs import open_output
from molmeta.assays.readers import sdf, source
from molmeta.assays.tables import Row, Table, open_table
from molmeta.chem.intake import Status
from molmeta.errors import ConfigError, InputError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes | str, name: str = "library.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path: Path | str, **settings: Any) -> tuple[Table, list[Row]]:
    with open_table(path, **settings) as table:
        return table, list(table)


CSV = "smiles,id\nCCO,a\nCCN,b\n"
RAGGED = "smiles,id\nCCO,a\nCCN,b,c\nCCC\nCCF,d\n"
TWO_ROWS: list[tuple[str, ...]] = [("CCO", "a"), ("CCN", "b")]

READABLE: list[tuple[str, bytes, str, dict[str, Any], list[tuple[str, ...]]]] = [
    ("B0 plain", CSV.encode(), "l.csv", {}, TWO_ROWS),
    ("B1 byte-order mark", b"\xef\xbb\xbf" + CSV.encode(), "l.csv", {}, TWO_ROWS),
    ("B2 semicolons", CSV.replace(",", ";").encode(), "l.csv", {}, TWO_ROWS),
    (
        "B2 unknown header",
        b"Compound;Mol\na;CCO\nb;CCN\n",
        "l.csv",
        {},
        [("a", "CCO"), ("b", "CCN")],
    ),
    ("B2 stated", b"smiles!id\nCCO!a\n", "l.csv", {"delimiter": "!"}, [("CCO", "a")]),
    ("B3 decimal comma", b"smiles;y\nCCO;1,5\n", "l.csv", {}, [("CCO", "1,5")]),
    ("B4 tabs in .csv", CSV.replace(",", "\t").encode(), "l.csv", {}, TWO_ROWS),
    ("B5 CRLF", CSV.replace("\n", "\r\n").encode(), "l.csv", {}, TWO_ROWS),
    ("B5 CR alone", CSV.replace("\n", "\r").encode(), "l.csv", {}, TWO_ROWS),
    ("B6 stated", b"CCO,a\nCCN,b\n", "l.csv", {"header": False}, TWO_ROWS),
    ("B7 others may repeat", b"smiles,x,x\nC,1,2\n", "l.csv", {}, [("C", "1", "2")]),
    ("B11 quoted", b'smiles,id\n"CC |a:1,2|",a\n', "l.csv", {}, [("CC |a:1,2|", "a")]),
    (
        "B13 stated",
        b"smiles,id\nCCO,caf\xe9\n",
        "l.csv",
        {"encoding": "latin-1"},
        [("CCO", "café")],
    ),
    ("B14 UTF-16", CSV.encode("utf-16"), "l.csv", {}, TWO_ROWS),
    ("B18 header only", b"smiles,id\n", "l.csv", {}, []),
    ("B18 header only, list", b"SMILES Name\n", "l.smi", {}, []),
    (
        "B19 one column",
        b'smiles\nCCO\n\n""\n \n"\t"\nCCN\n',
        "l.csv",
        {},
        [("CCO",), ("",), ("",), (" ",), ("\t",), ("CCN",)],
    ),
    ("B19 blank lines", b"smiles,id\n\nCCO,a\n\n\nCCN,b\n\n", "l.csv", {}, TWO_ROWS),
    (
        "B20 cells unchanged",
        b'smiles,id\nCCO,007\nCCN,1E5\nCCC,1-Mar\nCCF,NA\nCCP," x "\n',
        "l.csv",
        {},
        [("CCO", "007"), ("CCN", "1E5"), ("CCC", "1-Mar"), ("CCF", "NA"), ("CCP", " x ")],
    ),
    ("B21 gzip", gzip.compress(CSV.encode()), "l.csv.gz", {}, TWO_ROWS),
    ("B21 zstd", pa.compress(CSV.encode(), "zstd").to_pybytes(), "l.csv.zst", {}, TWO_ROWS),
    ("B23 gzip named .csv", gzip.compress(CSV.encode()), "l.csv", {}, TWO_ROWS),
    ("B23 text named .gz", CSV.encode(), "l.csv.gz", {}, TWO_ROWS),
    ("B33 list", b"CCO a\nCCN b\n", "l.smi", {}, TWO_ROWS),
    (
        "B33 tab and long names",
        b"CCO\tx y, z\nCCN  b\n",
        "l.smi",
        {},
        [("CCO", "x y, z"), ("CCN", "b")],
    ),
    ("B33 header", b"#SMILES\tName\nCCO\ta\n", "l.smi", {}, [("CCO", "a")]),
    ("B33 three columns", b"CCO a 5\n", "l.smi", {}, [("CCO", "a 5")]),
    (
        "B33 blank line kept",
        b"CCO a\n\nCCN b\n",
        "l.smi",
        {},
        [("CCO", "a"), ("", ""), ("CCN", "b")],
    ),
    ("B33 no SMILES", b"CCO\ta\n\tb\n", "l.smi", {}, [("CCO", "a"), ("", "b")]),
    ("B33 extension", b"CC |$;a$| x\n", "l.smi", {}, [("CC |$;a$|", "x")]),
    ("B33 a .smi that is CSV", b"smiles,id\nCCO,a\n", "l.smi", {}, [("CCO", "a")]),
    ("list by content", b"CCO\nCCN\n", "l.txt", {}, [("CCO", ""), ("CCN", "")]),
    ("one column", b"smiles\nCCO\nCCN\n", "l.txt", {}, [("CCO",), ("CCN",)]),
    ("B35 repeats", b"smiles\n" + b"CCO\n" * 1000, "l.csv", {}, [("CCO",)] * 1000),
]


@pytest.mark.parametrize(
    ("content", "name", "settings", "cells"),
    [case[1:] for case in READABLE],
    ids=[case[0] for case in READABLE],
)
def test_a_readable_file_gives_its_cells_unchanged(
    write: Write, content: bytes, name: str, settings: dict[str, Any], cells: list[tuple[str, ...]]
) -> None:
    table, rows = read(write(content, name), **settings)
    assert [row.cells for row in rows] == cells
    assert [row.number for row in rows] == list(range(1, len(cells) + 1))
    assert all(row.problem is None for row in rows)
    place = table.columns.index(table.smiles_column)
    assert all(row.smiles == row.cells[place] for row in rows)


XLSX = b"PK\x03\x04\x14\x00\x06\x00"
UNUSABLE: list[tuple[str, bytes, str, dict[str, Any], str]] = [
    ("B6 no header", b"CCO,a\nCCN,b\n", "l.csv", {}, "no header"),
    ("B6 no header, one column", b"CCO\nCCN\n", "l.csv", {}, "no header"),
    ("B7 ambiguous", b"smiles,smiles\nCCO,CCN\n", "l.csv", {}, "2 columns called 'smiles'"),
    ("B8 wrong case", CSV.encode(), "l.csv", {"smiles_column": "SMILES"}, "did you mean 'smiles'"),
    ("B8 no molecules", b"id,name\n1,x\n", "l.csv", {}, "no column that holds molecules"),
    ("B8 two candidates", b"m,p\nCCO,CCN\n", "l.csv", {"header": True}, "2 columns that hold"),
    ("B10 one extra", b"smiles,id\nCCO,a,1\nCCN,b,2\n", "l.csv", {}, "every row has 3 cells"),
    (
        "B11 all",
        b"smiles\nCC |&1:1,2|\nCC |&1:1,3|\n",
        "l.csv",
        {"delimiter": ","},
        "must be quoted",
    ),
    ("B12 open quote", b'smiles,id\nCCO,a\n"CCN,b\nCCC,c\n', "l.csv", {}, "row of line 3"),
    ("B12 eaten rows", b'smiles,id\nCCO,"a\nCCN,b\nCCC,"c"\nCCF,d\n', "l.csv", {}, "row of line 2"),
    ("B13 latin-1", b"smiles,id\nCCO,caf\xe9\n", "l.csv", {}, "byte 17 is 0xe9"),
    ("B14 cut", CSV.encode("utf-16")[:-1], "l.csv", {}, "not utf-16"),
    ("B16 comment", b"# made today\nsmiles,id\nCCO,a\n", "l.csv", {}, "comment"),
    ("B16 comment, list", b"# made today\nCCO a\n", "l.smi", {}, "comment"),
    ("B17 empty", b"", "l.csv", {}, "no rows"),
    ("B17 blank", b"\n \n\n", "l.csv", {}, "no rows"),
    ("B17 empty gzip", gzip.compress(b""), "l.csv.gz", {}, "no rows"),
    ("B26 endless line", b"smiles,id\nCCO," + b"a" * 1_000_001, "l.csv", {}, "line 2 is longer"),
    ("B30 workbook", XLSX, "l.csv", {}, "Excel workbook"),
    ("B30 web page", b"\n<!DOCTYPE html><html>Log in", "l.csv", {}, "web page"),
    ("Parquet cut short", b"PAR1" + b"\0" * 20, "l.parquet", {}, "damaged Parquet"),
]


@pytest.mark.parametrize(
    ("content", "name", "settings", "said"),
    [case[1:] for case in UNUSABLE],
    ids=[case[0] for case in UNUSABLE],
)
def test_an_unusable_file_is_refused_with_a_sentence(
    write: Write, content: bytes, name: str, settings: dict[str, Any], said: str
) -> None:
    path = write(content, name)
    with pytest.raises(InputError) as error:
        read(path, **settings)
    assert said in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "statuses", "said"),
    [
        pytest.param(RAGGED, ["ok", "parse_error", "parse_error", "ok"], "line 3", id="B9"),
        pytest.param(
            "smiles,id\nCCO,a\nCC |&1:1,2|,b\n", ["ok", "parse_error"], "quoted", id="B11 one row"
        ),
        pytest.param(
            'smiles,id\n"CC"O,a\nCCN,b\n', ["parse_error", "ok"], "closing quote", id="B12 one row"
        ),
        pytest.param("smiles,id\nC\0C,a\nCCN,b\n", ["parse_error", "ok"], "NUL", id="B15"),
    ],
)
def test_a_damaged_row_keeps_its_place_and_the_others_are_read(
    write: Write, content: str, statuses: list[str], said: str
) -> None:
    table, rows = read(write(content))
    assert [row.problem.status if row.problem else "ok" for row in rows] == statuses
    assert said in next(row.problem.reason for row in rows if row.problem)
    assert {len(row.cells) for row in rows} == {len(table.columns)}


def test_what_was_found_is_noted(write: Write) -> None:
    table, rows = read(write("Structure;id\nCCO;a\n\nCCN;b\n"))
    assert table.format == "csv"
    assert any("';'" in note for note in table.notes)
    assert any("'Structure'" in note for note in table.notes)
    assert any("1 blank line" in note for note in table.notes)  # B19
    assert [row.line for row in rows] == [2, 4]


def test_a_quoted_cell_may_hold_line_ends(write: Write) -> None:
    _, rows = read(write('smiles,note\nCCO,"two\nlines"\nCCN,x\n'))
    assert [(row.line, row.cells[1]) for row in rows] == [(2, "two\nlines"), (4, "x")]


def test_a_truncated_gzip_gives_its_rows_and_then_an_error(write: Write) -> None:  # B22
    lines = [f"{'C' * (i % 90 + 1)},{hash((i, 7)) % 10**12}" for i in range(20_000)]
    packed = gzip.compress(("smiles,id\n" + "\n".join(lines)).encode())
    seen: list[str] = []
    with (
        open_table(write(packed[: len(packed) // 2], "l.csv.gz")) as table,
        pytest.raises(InputError, match="cut short"),
    ):
        seen.extend(",".join(row.cells) for row in table)
    assert len(seen) > 5_000
    assert seen == lines[: len(seen)]


def test_a_truncated_zstd_is_an_error_too(write: Write) -> None:  # B22
    lines = [f"CCO,{hash((i, 7)) % 10**12}" for i in range(20_000)]
    packed = pa.compress(("smiles,id\n" + "\n".join(lines)).encode(), "zstd").to_pybytes()
    with pytest.raises(InputError, match="cut short"):
        read(write(packed[: len(packed) // 2], "l.csv.zst"))
    with pytest.raises(InputError, match="more than the 1000 bytes"):
        read(write(packed, "l.csv.zst"), max_bytes=1_000)


def test_a_gzip_bomb_stops_at_the_cap(write: Write) -> None:  # B24
    bomb = gzip.compress(b"smiles,id\n" + b"CCO,a\n" * 300_000)
    assert len(bomb) < 100_000
    with pytest.raises(InputError, match="more than the 1000000 bytes"):
        read(write(bomb, "l.csv.gz"), max_bytes=1_000_000)


def test_reading_takes_no_more_memory_than_some_rows(write: Write) -> None:  # B25
    import tracemalloc

    path = write("smiles,id\n" + "CCO,some name\n" * 60_000)
    with open_table(path) as table:
        tracemalloc.start()
        n = sum(1 for _ in table)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert n == 60_000
    assert peak < 400_000  # the file has 840,000 bytes


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:  # B27, B28
    with pytest.raises(InputError, match="folder"):
        open_table(tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be read: No such file"):
        open_table(tmp_path / "nowhere.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="No such file"):
        open_table(tmp_path / "link.csv")
    with pytest.raises(InputError, match="null byte"):
        open_table("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(write: Write) -> None:  # B28
    path = write(CSV)
    path.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        open_table(path)


@pytest.mark.parametrize("content", [CSV.encode(), gzip.compress(CSV.encode(), mtime=0)])
def test_stdin_is_read_and_stays_open(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content))  # B27
    monkeypatch.setattr(sys, "stdin", stdin)
    table, rows = read("-")
    assert table.source == "stdin"
    assert [row.cells for row in rows] == TWO_ROWS
    assert not stdin.buffer.closed


def test_a_bare_list_on_stdin_is_one_row_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"CCO\n\nnonsense\n")))
    table, rows = read("-")
    assert table.format == "smi"
    assert [row.smiles for row in rows] == ["CCO", "", "nonsense"]


def test_a_pipe_is_read(tmp_path: Path) -> None:  # B27
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CSV.encode(),))
    writer.start()
    _, rows = read(pipe)
    writer.join()
    assert [row.cells for row in rows] == TWO_ROWS


def test_a_file_that_changed_meanwhile_is_noted(write: Write) -> None:  # B29
    path = write(CSV)
    with open_table(path) as table:
        path.write_text(CSV + "CCC,c\n")
        list(table)
    assert any("was changed" in note for note in table.notes)
    assert not any("was changed" in note for note in read(path)[0].notes)


def molblock(smiles: str, title: str = "", *, v3000: bool = False) -> str:
    mol = Chem.MolFromSmiles(smiles)
    mol.SetProp("_Name", title)
    return str(Chem.MolToMolBlock(mol, forceV3000=v3000))


def test_sdf_records_keep_their_place_title_and_items(write: Write) -> None:  # B31, B32
    texas = molblock("CCCCCC", "texas").replace("  1  2  1  0\n", "  1  2  3  0\n  1  3  2  0\n")
    texas = texas.replace("  6  5", "  6  6")
    records = [
        molblock("CCO", "a") + "> <IC50>\n5\n\n> <note>\ntwo\nlines\n\n$$$$\n",
        molblock("CCN", "", v3000=True) + ">  1  <IC50>  (2)\n>10\n\n$$$$\n",
        molblock("", "nothing") + "$$$$\n",
        molblock("CCC", "bad").replace("  3  2  0", "  x  y  0") + "> <IC50>\n7\n\n$$$$\n",
        molblock("CCF", "cut").split("M  END")[0] + "$$$$\n",
        texas + "$$$$\n",
        molblock("c1ccccc1C(=O)[O-].[Na+]", "a"),  # the last line of dollars is missing
    ]
    table, rows = read(write("".join(records), "library.sdf"))
    assert table.format == "sdf"
    assert table.columns == ("smiles", "title", "IC50", "note")
    assert [row.problem.status if row.problem else "ok" for row in rows] == [
        "ok",
        "ok",
        Status.EMPTY,
        Status.PARSE_ERROR,
        Status.PARSE_ERROR,
        Status.SANITIZE_ERROR,
        "ok",
    ]
    assert rows[0].cells == ("CCO", "a", "5", "two\nlines")
    assert rows[1].cells == ("CCN", "", ">10", "")
    assert rows[3].cells == ("", "bad", "7", "")
    assert rows[6].cells[:2] == ("O=C([O-])c1ccccc1.[Na+]", "a")
    assert "record 6" in (rows[5].problem.reason if rows[5].problem else "")


def test_sdf_is_told_by_its_content(write: Write) -> None:  # B30
    _, rows = read(write(molblock("CCO", "a") + "$$$$\n", "library.csv"))
    assert rows[0].smiles == "CCO"


def test_sdf_items_that_come_late_are_left_out_and_said_so(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdf, "_HEAD_RECORDS", 1)
    text = molblock("CCO") + "$$$$\n" + molblock("CCN") + "> <late>\n1\n\n$$$$\n"
    table, rows = read(write(text, "l.sdf"))
    assert table.columns == ("smiles", "title")
    assert len(rows) == 2
    assert any("late" in note for note in table.notes)


def test_an_enormous_sdf_molecule_is_not_written_as_smiles(write: Write) -> None:
    mol = Chem.MolFromSmiles("C" * 1_200)
    mol.AddConformer(Chem.Conformer(mol.GetNumAtoms()))
    _, rows = read(write(Chem.MolToV3KMolBlock(mol) + "$$$$\n", "l.sdf"))
    assert rows[0].problem is not None
    assert rows[0].problem.status == Status.TOO_LARGE


def test_parquet_values_are_text_as_a_csv_would_hold_them(tmp_path: Path) -> None:
    path = tmp_path / "library.bin"
    columns = {
        "smiles": ["CCO", None, "C\0C"],
        "id": pa.array(["007", "1E5", "NA"]).dictionary_encode(),
        "label": [True, None, False],
        "count": [1, 2, None],
        "half": pa.array([0.1, 1e-9, None], pa.float32()),
        "list": [[1], None, [2]],
    }
    parquet.write_table(pa.table(columns), path)
    table, rows = read(path)
    assert table.format == "parquet"
    assert rows[0].cells == ("CCO", "007", "true", "1", "0.1", "[1]")
    assert rows[1].cells == ("", "1E5", "", "2", "1e-9", "")
    assert rows[2].problem is not None


def test_parquet_is_read_from_stdin_and_gzip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = io.BytesIO()
    parquet.write_table(pa.table({"smiles": ["CCO"]}), plain)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plain.getvalue())))
    assert [row.smiles for row in read("-")[1]] == ["CCO"]
    (tmp_path / "l.parquet.gz").write_bytes(gzip.compress(plain.getvalue()))
    assert [row.smiles for row in read(tmp_path / "l.parquet.gz")[1]] == ["CCO"]


@pytest.mark.parametrize("settings", [{"delimiter": "ab"}, {"encoding": "klingon"}])
def test_a_setting_that_fits_no_file_is_a_config_error(
    write: Write, settings: dict[str, str]
) -> None:
    with pytest.raises(ConfigError):
        read(write(CSV), **settings)


def test_a_line_may_be_as_long_as_the_cap(write: Write) -> None:  # B26
    name = "a" * (source.MAX_LINE - 5)
    assert read(write(f"CCO {name}\n", "l.smi"))[1][0].cells == ("CCO", name)


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.csv.zst", "o.sdf", "o.parquet"])
def test_how_much_was_read_grows_to_all(tmp_path: Path, name: str) -> None:
    with open_output(tmp_path / name, ["smiles", "noise"]) as output:
        for n in range(1_500):
            output.write(["CCO", hashlib.shake_128(bytes(n)).hexdigest(640)])
    with open_table(tmp_path / name) as table:
        shares = [table.share_read() for _ in table]
        shares.append(table.share_read())
    told = [share for share in shares if share is not None]
    assert len(told) == 1_501
    assert told == sorted(told)
    assert told[0] < 0.9
    assert told[-1] == 1
    # A format that is read by rows tells it by rows, the others by what they read ahead.
    assert name.endswith((".sdf", ".parquet")) or told[700] < 0.9


def test_how_much_of_stdin_was_read_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"smiles\nCCO\n")))
    with open_table("-") as table:
        assert [table.share_read() for _ in table] == [None]
