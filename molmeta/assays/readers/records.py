"""What every reader gives: the columns of a file and its records, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from molmeta.chem.intake import Rejection, Status


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the file has it, before anyone asks which cell is the molecule."""

    line: int
    """Line on which it starts; for SDF and Parquet the number of the record. From 1."""
    cells: tuple[str, ...]
    """As many as there are columns, also where the file has more or fewer."""
    problem: Rejection | None = None
    """Why the file itself damaged this record."""


@dataclass(frozen=True, slots=True)
class Records:
    """The columns of one file and its records, streamed once."""

    format: str
    columns: tuple[str, ...]
    records: Iterator[Record]
    smiles_column: str | None = None
    """Where the format itself says which column is the molecule."""
    n_records: int | None = None
    """Where the format says that."""


def damaged(reason: str) -> Rejection:
    """The rejection of a record whose place in the file is sound but whose text is not."""
    return Rejection(Status.PARSE_ERROR, reason)
