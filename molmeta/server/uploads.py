"""What a browser sent to rows of a table: bounded, in memory, and read as a person meant it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from molmeta.assays.readers.parquet import MAGIC
from molmeta.assays.readers.source import open_source
from molmeta.assays.tables import Row, Table, open_table
from molmeta.chem.intake import Molecule, Rejection, read_smiles
from molmeta.errors import InputError

LOOKED_AT: Final = 2_000
"""Rows of a library whose structures are read when it arrives, which takes about a second; the rest
waits for the ranking."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the page takes; all of it is kept in memory."""

    support_bytes: int = 4 * 2**20
    """Of the measured compounds, also once unpacked."""
    library_bytes: int = 16 * 2**20
    """Of the compounds to rank, also once unpacked."""
    library_rows: int = 50_000


class TooLargeError(InputError):
    """More than the page takes."""


@dataclass(frozen=True, slots=True)
class Library:
    """The compounds to rank."""

    columns: tuple[str, ...]
    smiles_column: str
    rows: tuple[Row, ...]
    problems: tuple[tuple[Row, Rejection], ...]
    """Of the first LOOKED_AT rows those without a structure that the models can judge."""
    notes: tuple[str, ...]


def too_large(what: str, limit: int) -> TooLargeError:
    """The sentence about `what`, of which there are more bytes than `limit`."""
    return TooLargeError(
        f"{what} is larger than {limit / 2**20:.3g} MB, the most that this page takes; give a "
        "part of it, or use molmeta predict in a shell, which has no such limit"
    )


def unpacked(content: bytes, name: str, limit: int) -> bytes:
    """The content of an upload, unpacked if it is gzip or zstd.

    Raises:
        InputError: empty, damaged, or no table.
        TooLargeError: more than `limit` bytes once unpacked.
    """
    with open_source(name, content=content) as stream:
        plain = stream.read(limit + 1)
    if len(plain) > limit:
        raise too_large(name, limit)
    if plain.startswith(MAGIC):
        raise InputError(f"{name} is a Parquet file; save the table as CSV, or use molmeta predict")
    return plain


def opened(content: bytes, name: str, smiles_column: str | None = None) -> Table:
    """The table in an unpacked upload.

    Beyond `open_table`, a first row that is a compound already is no header, and text that is not
    UTF-8 is Windows-1252, in which Excel writes a CSV.

    Raises:
        InputError: it cannot be used at all; the sentence says why.
    """
    encoding = _encoding(content, name)
    try:
        table = open_table(name, smiles_column=smiles_column, encoding=encoding, content=content)
    except InputError:
        headless = _without_header(content, name, smiles_column, encoding)
        if headless is None:
            raise
        table = headless
        table.notes.append("there is no header: the first line is a compound already")
    if encoding is not None:
        table.notes.append("the text is not UTF-8, and was read as Windows-1252")
    return table


def read_library(
    content: bytes, name: str, smiles_column: str | None, *, most_rows: int
) -> Library:
    """The compounds in an unpacked upload.

    Raises:
        InputError: it cannot be used at all, or none of its rows.
        TooLargeError: more than `most_rows`.
    """
    rows: list[Row] = []
    problems = []
    with opened(content, name, smiles_column) as table:
        for row in table:
            if len(rows) == most_rows:
                raise TooLargeError(
                    f"{name} has more than {most_rows:,} rows, the most that this page takes; give "
                    "a part of it, or use molmeta predict in a shell, which has no such limit"
                )
            outcome = row.problem or (read_smiles(row.smiles) if len(rows) < LOOKED_AT else None)
            if isinstance(outcome, Rejection):
                problems.append((row, outcome))
            rows.append(row)
    if len(problems) == len(rows):
        why = f": row 1: {problems[0][1].reason}" if problems else ""
        raise InputError(f"{name} has no row with a structure that can be read{why}")
    return Library(
        table.columns, table.smiles_column, tuple(rows), tuple(problems), tuple(table.notes)
    )


def _encoding(content: bytes, name: str) -> str | None:
    """Of a text; None for what `open_table` reads by itself."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    for encoding, told in (("utf-8", None), ("cp1252", "cp1252")):
        with suppress(UnicodeDecodeError):
            content.decode(encoding)
            return told
    raise InputError(f"{name} is not text; save the table as CSV, TSV or SDF")


def _without_header(
    content: bytes, name: str, smiles_column: str | None, encoding: str | None
) -> Table | None:
    """The table, if its first line is a compound."""

    def reopened() -> Table:
        return open_table(
            name, smiles_column=smiles_column, header=False, encoding=encoding, content=content
        )

    try:
        with reopened() as table:
            first = next(iter(table), None)
    except InputError:
        return None
    is_compound = first is not None and isinstance(read_smiles(first.smiles), Molecule)
    return reopened() if is_compound else None
