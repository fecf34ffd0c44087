"""The user's files (CSV, TSV, SMI, SDF, Parquet) to rows that keep their place.

Rows are streamed: a file of any size needs the memory of a few rows. The format is told by the
content first (first bytes, then the text of the first lines) and by the name where the content
leaves a choice. What was found or assumed is kept in `Table.notes`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path, PurePath
from types import TracebackType
from typing import Self

from molmeta.assays.readers.columns import (
    SMILES_COLUMNS,
    is_smiles_header,
    known_column,
    listed,
    named_column,
)
from molmeta.assays.readers.delimited import (
    delimiter_by_count,
    delimiter_by_header,
    read_delimited,
)
from molmeta.assays.readers.parquet import MAGIC, read_parquet
from molmeta.assays.readers.records import Record, Records
from molmeta.assays.readers.sdf import looks_like_sdf, read_sdf
from molmeta.assays.readers.smi import read_smi
from molmeta.assays.readers.source import ByteStream, open_source, text_lines
from molmeta.chem.intake import Molecule, Rejection, read_smiles
from molmeta.errors import ConfigError, InputError

_SAMPLE_LINES = 50
_SAMPLE_RECORDS = 20
_PACKED = (".gz", ".zst")
_FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".smi", ".smiles", ".cxsmiles", ".ism", ".can"), "smi"),
    **dict.fromkeys((".sdf", ".sd", ".mol"), "sdf"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the user's file."""

    number: int
    """Its place among the data rows, from 1."""
    smiles: str
    """The molecule's text as found, empty where missing; for SDF the SMILES written from it."""
    cells: tuple[str, ...]
    """Every cell unchanged, one for each of `Table.columns`."""
    problem: Rejection | None
    """Why the file itself damaged this row: ragged, a NUL, a bad SDF record."""
    line: int
    """Line of the file on which it starts; for SDF and Parquet the number of the record."""


class Table:
    """Rows of one file, to be read once; a context manager that closes the file."""

    def __init__(
        self,
        records: Records,
        smiles_place: int,
        stream: ByteStream,
        notes: list[str],
    ) -> None:
        self.source = stream.name
        self.columns = records.columns
        self.smiles_column = records.columns[smiles_place]
        self.format = records.format
        self.notes = notes
        """What was found or assumed, in words; may grow while rows are read."""
        self._stream = stream
        self._n_rows = records.n_records
        self._n_read = 0
        self._rows = self._read(records.records, smiles_place)

    def __iter__(self) -> Iterator[Row]:
        """The rows not yet read.

        Raises:
            InputError: from the row on which the file turns out to be damaged or cut short.
        """
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; stdin stays open."""
        self._stream.close()

    def share_read(self) -> float | None:
        """How much of it was read, 0 to 1; None where that cannot be known."""
        return self._n_read / self._n_rows if self._n_rows else self._stream.share_read()

    def _read(self, records: Iterator[Record], smiles_place: int) -> Iterator[Row]:
        for number, record in enumerate(records, start=1):
            self._n_read = number
            yield Row(number, record.cells[smiles_place], record.cells, record.problem, record.line)
        if self._stream.was_changed():
            self.notes.append(f"{self.source} was changed while it was read; run again to be sure")


def open_table(
    path: Path | str,
    *,
    smiles_column: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    max_bytes: int | None = None,
    content: bytes | None = None,
) -> Table:
    r"""A file of molecules, plain, gzip or zstd, opened for reading row by row.

    Args:
        path: the file, or "-" for stdin.
        smiles_column: its exact header. Without it: a header out of `SMILES_COLUMNS`, else the one
            column whose first cells are molecules.
        delimiter: one character ("\t" or "tab" too); without it, found from the first lines.
        header: whether the first line is one; without it, told from what stands in it.
        encoding: of a text file; without it, a byte-order mark decides, else UTF-8.
        max_bytes: a cap on the unpacked content.
        content: the bytes of the file, where they are in memory; `path` is then its name alone.

    Raises:
        InputError: the file cannot be used at all; the sentence says why.
        ConfigError: a setting that no file could fit.
    """
    delimiter = _one_character(delimiter)
    stream = open_source(path, max_bytes, content=content)
    try:
        notes: list[str] = []
        if stream.peek(4) == MAGIC:
            records = read_parquet(stream)
        else:
            records = _read_text(stream, path, smiles_column, delimiter, header, encoding, notes)
        head = list(islice(records.records, _SAMPLE_RECORDS))
        place = _smiles_place(records, head, smiles_column, stream.name, notes)
        records = replace(records, records=chain(head, records.records))
        return Table(records, place, stream, notes)
    except BaseException:
        stream.close()
        raise


def _read_text(
    stream: ByteStream,
    path: Path | str,
    smiles_column: str | None,
    delimiter: str | None,
    header: bool | None,
    encoding: str | None,
    notes: list[str],
) -> Records:
    lines = text_lines(stream, encoding)
    sample = list(islice(lines, _SAMPLE_LINES))
    lines = chain(sample, lines)
    named = _format_by_name(path)
    if named == "sdf" or (delimiter is None and looks_like_sdf(sample)):
        return read_sdf(lines, source=stream.name, notes=notes)
    if not any(line.strip() for line in sample) and len(sample) < _SAMPLE_LINES:
        raise InputError(f"{stream.name} has only blank lines: there are no rows in it")
    if delimiter is None:
        delimiter = _found_delimiter(sample, named)
    if delimiter is None:
        return read_smi(lines, header=header, source=stream.name, notes=notes)
    return read_delimited(
        lines,
        delimiter,
        header=header,
        smiles_column=smiles_column,
        source=stream.name,
        notes=notes,
    )


def _found_delimiter(sample: Sequence[str], named: str | None) -> str | None:
    """What parts the cells, or None for a list of SMILES with names."""
    if named == "smi":
        # Names in a list may hold anything; only a header that announces SMILES speaks against it.
        return delimiter_by_header(sample, ",;")
    found = delimiter_by_header(sample) or delimiter_by_count(sample)
    words = [line.split() for line in sample if line.strip()]
    is_one_column = is_smiles_header(sample[0]) and all(len(line) == 1 for line in words)
    return found or ("," if named == "csv" or is_one_column else None)


def _format_by_name(path: Path | str) -> str | None:
    name = PurePath(path)
    while name.suffix.lower() in _PACKED:
        name = name.with_suffix("")
    return _FORMATS.get(name.suffix.lower())


def _smiles_place(
    records: Records, head: list[Record], wanted: str | None, source: str, notes: list[str]
) -> int:
    columns = records.columns
    wanted = wanted if wanted is not None else records.smiles_column
    if wanted is not None:
        return named_column(columns, wanted, source)
    place = known_column(columns, SMILES_COLUMNS, source)
    if place is None:
        holding = [place for place in range(len(columns)) if _holds_molecules(head, place)]
        if len(holding) != 1:
            found = f"{len(holding)} columns that hold" if holding else "no column that holds"
            raise InputError(
                f"{source} has {found} molecules, and none called 'smiles'; say which one is meant "
                "(--smiles-column, or --support-smiles-column for a support file); "
                f"{listed(columns)}"
            )
        place = holding[0]
    if columns[place] != "smiles":
        notes.append(f"molecules are taken from column '{columns[place]}'")
    return place


def _holds_molecules(head: list[Record], place: int) -> bool:
    """Whether four in five of the first cells are molecules."""
    texts = [cell for record in head if (cell := record.cells[place].strip())]
    molecules = sum(isinstance(read_smiles(text), Molecule) for text in texts)
    return bool(texts) and molecules >= 0.8 * len(texts)


def _one_character(delimiter: str | None) -> str | None:
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise ConfigError(f"a delimiter is one character, such as , or tab, not {delimiter!r}")
    return delimiter
