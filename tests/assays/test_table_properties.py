"""Tables of any content and form: as many rows as were written, in their order, each cell whole."""

import csv
import io
import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from molmeta.assays.outputs import open_output
from molmeta.assays.tables import Row, Table, open_table
from molmeta.errors import InputError, MolmetaError

# No NUL and no lone surrogates, which damage a row; these have cases of their own.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
CELL = st.one_of(TEXT, st.sampled_from(["", " ", "007", "1E5", "NA", "1-Mar", "a,b", 'x"y', "\r"]))
SMILES = st.sampled_from(["CCO", "c1ccccc1", "CC |&1:0,1|", "C1CC", "", "nonsense", "CCO name"])
ROWS = st.lists(st.tuples(CELL, SMILES, CELL), max_size=12)
QUICK = settings(max_examples=60, deadline=None)


def read(content: bytes, name: str = "t.csv", **how: str) -> tuple[Table, list[Row]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with open_table(path, **how) as table:  # type: ignore[arg-type]
            return table, list(table)


@QUICK
@given(
    rows=ROWS,
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_csv_wrote_is_read_back_whole(
    rows: list[tuple[str, str, str]], delimiter: str, line_end: str, encoding: str, quoting: int
) -> None:
    text = io.StringIO(newline="")
    # `csv` quotes a line end only where it is the one that ends its rows.
    has_line_end = any(end in cell for row in rows for cell in row for end in "\r\n")
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator=line_end,
        quoting=csv.QUOTE_ALL if has_line_end else quoting,
    )
    writer.writerows([("id", "smiles", "note"), *rows])
    table, found = read(text.getvalue().encode(encoding), delimiter=delimiter)
    assert table.columns == ("id", "smiles", "note")
    assert [row.cells for row in found] == rows
    assert [row.number for row in found] == list(range(1, len(rows) + 1))


@QUICK
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=15),
    delimiter=st.sampled_from([",", "\t", ";"]),
)
def test_ragged_rows_keep_their_places(widths: list[int], delimiter: str) -> None:
    lines = [delimiter.join(["CCO", *"abcd"][:width]) for width in widths]
    content = "\n".join([delimiter.join(("smiles", "id", "note")), *lines]) + "\n"
    if set(widths) <= {3} or len(set(widths)) > 1:
        table, found = read(content.encode(), delimiter=delimiter)
    else:
        with pytest.raises(InputError, match="every row has"):
            read(content.encode(), delimiter=delimiter)
        return
    assert [row.problem is None for row in found] == [width == 3 for width in widths]
    assert [row.line for row in found] == list(range(2, len(widths) + 2))
    assert {len(row.cells) for row in found} == {len(table.columns)}


@QUICK
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"smiles,id\n", b"\x1f\x8b"]))
def test_any_bytes_give_rows_or_a_sentence(content: bytes, start: bytes) -> None:
    for name in ("t.csv", "t.smi", "t.sdf", "t.parquet"):
        try:
            table, found = read(start + content, name)
        except MolmetaError:
            continue
        assert [row.number for row in found] == list(range(1, len(found) + 1))
        assert all(len(row.cells) == len(table.columns) for row in found)


@QUICK
@given(rows=ROWS, name=st.sampled_from(["o.csv", "o.tsv", "o.csv.gz", "o.csv.zst", "o.parquet"]))
def test_what_is_written_is_read_back_whole(rows: list[tuple[str, str, str]], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with open_output(path, ("id", "smiles", "note")) as output:
            for row in rows:
                output.write(row)
        with open_table(path) as table:
            assert [row.cells for row in table] == rows


@QUICK
@given(rows=ROWS, name=st.sampled_from(["o.smi", "o.sdf"]))
def test_every_row_has_its_line_or_record(rows: list[tuple[str, str, str]], name: str) -> None:
    assume(rows)  # an SDF of no records has no bytes, which is no table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with open_output(path, ("id", "smiles", "note")) as output:
            for row in rows:
                output.write(row)
        with open_table(path) as table:
            found = list(table)
    assert len(found) == len(rows)
    if name == "o.sdf":
        kept = [row.cells[3] for row in found]
        assert kept == [row[1] for row in rows]


MOLBLOCK = "a\n  x\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n" + "".join(
    f"    {x}.0000    0.0000    0.0000 {atom:<3} 0  0  0  0\n" for x, atom in enumerate("CO")
) + "  1  2  1  0\nM  END\n> <id>\n007\n\n"  # fmt: skip


@QUICK
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(MOLBLOCK) - 1), st.sampled_from(string.printable.replace("$", ""))
        ),
        max_size=6,
    )
)
def test_a_damaged_record_takes_no_other_with_it(changes: list[tuple[int, str]]) -> None:
    damaged = list(MOLBLOCK)
    for place, character in changes:
        damaged[place] = character
    content = f"{MOLBLOCK}$$$$\n{''.join(damaged)}\n$$$$\n{MOLBLOCK}$$$$\n"
    table, found = read(content.encode(), "t.sdf")
    assert [row.smiles for row in (found[0], found[-1])] == ["CO", "CO"]
    assert len(found) == 3
    place = table.columns.index("id")
    assert [row.cells[place] for row in (found[0], found[-1])] == ["007", "007"]
