"""The ranking as a file to download, written while it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from molmeta.assays.writers.delimited import DelimitedWriter
from molmeta.assays.writers.row_writer import RowWriter
from molmeta.assays.writers.sdf import SdfWriter

FORMATS: Final = {"csv": "text/csv; charset=utf-8", "sdf": "chemical/x-mdl-sdfile"}
"""Name -> its type on the web."""

_ROWS_AT_ONCE: Final = 100


def written(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    format: Literal["csv", "sdf"],
    smiles_place: int,
    *,
    escape_formulas: bool,
) -> Iterator[bytes]:
    """The file in pieces.

    Args:
        columns: its header.
        rows: a cell for each of them.
        format: CSV for a spreadsheet, SDF with structures drawn.
        smiles_place: of the molecule among the columns.
        escape_formulas: in CSV, put an apostrophe before cells that a spreadsheet would run.
    """
    held = _Held()
    writer: RowWriter = (
        DelimitedWriter(held, columns, ",", escape_formulas=escape_formulas)
        if format == "csv"
        else SdfWriter(held, columns, smiles_place)
    )
    for count, row in enumerate(rows, start=1):
        writer.write(row)
        if count % _ROWS_AT_ONCE == 0:
            yield held.taken()
    yield held.taken()


class _Held:
    """Bytes that wait to be sent."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes, /) -> int:
        self._bytes += data
        return len(data)

    def taken(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken
