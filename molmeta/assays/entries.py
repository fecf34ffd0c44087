"""Rows of a support on their way into a model: what was given, and the verdict on each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from molmeta.assays.readers.columns import LABEL_COLUMNS, known_column, listed, named_column
from molmeta.assays.tables import Table
from molmeta.chem.intake import Molecule, Rejection, Status, read_smiles
from molmeta.errors import InputError, SupportError

MAX_ROWS = 10_000
"""A closed-form head solves a system of this size in seconds; ten times as many take hours."""

LARGE = 1_000
SMALL = 8
"""Compounds of a support that is worth a note for its size."""


@dataclass(frozen=True, slots=True)
class SupportRow:
    """The verdict on one row of the input."""

    number: int
    """Its place among the data rows, from 1."""
    text: str
    """The molecule as given."""
    label_text: str
    """The label as given."""
    status: Status
    """OK or OK_CHANGED if the row is part of the support set."""
    reason: str

    @property
    def is_kept(self) -> bool:
        """Whether it is part of the support set."""
        return self.status in (Status.OK, Status.OK_CHANGED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row on its way: what was given, and what was made of its molecule."""

    number: int
    text: str
    label: object
    outcome: Molecule | Rejection


class Explained(Protocol):
    """What a label came to, with the reason where it came to nothing."""

    @property
    def reason(self) -> str:
        """Why; '' where it came to something."""


class MergedRows(Protocol):
    """What the rows of one compound came to."""

    @property
    def kept(self) -> Mapping[int, str]:
        """Rows that count, by number, with what happened to them; '' for nothing."""

    @property
    def conflicting(self) -> Mapping[int, str]:
        """Rows left out because others contradict them, with the reason."""


def entries_of(smiles: Sequence[object], labels: Sequence[object]) -> list[Entry]:
    """The rows of molecules and labels given side by side.

    Raises:
        InputError: not two sequences of one length.
        SupportError: more than `MAX_ROWS`.
    """
    if isinstance(smiles, str | bytes) or isinstance(labels, str | bytes):
        raise InputError("molecules and labels come as two lists, not as one text")
    if len(smiles) != len(labels):
        raise InputError(f"there are {len(smiles)} molecules but {len(labels)} labels")
    if len(smiles) > MAX_ROWS:
        raise _too_many()
    return [
        Entry(number, "" if text is None else str(text), label, read_smiles(text))
        for number, (text, label) in enumerate(zip(smiles, labels, strict=True), start=1)
    ]


def entries_in(table: Table, label_place: int) -> list[Entry]:
    """The rows of an open table, which is read to its end; labels stand in column `label_place`.

    Raises:
        InputError: the file turns out to be damaged.
        SupportError: more than `MAX_ROWS`.
    """
    entries: list[Entry] = []
    for row in table:
        if len(entries) == MAX_ROWS:
            raise _too_many()
        outcome = row.problem or read_smiles(row.smiles)
        entries.append(Entry(row.number, row.smiles, row.cells[label_place], outcome))
    return entries


def label_place(table: Table, wanted: str | None, known: Sequence[str] = LABEL_COLUMNS) -> int:
    """Which column holds the labels: `wanted`, one with a `known` header, or the only one.

    Raises:
        InputError: `wanted` is not there.
        SupportError: no column can be told to be the label.
    """
    if wanted is not None:
        return named_column(table.columns, wanted, table.source)
    place = known_column(table.columns, known, table.source)
    if place is not None:
        return place
    others = [i for i, column in enumerate(table.columns) if column != table.smiles_column]
    if len(others) == 1:
        return others[0]
    raise SupportError(
        f"{table.source} has no column called '{known[0]}', and "
        + ("several could be it" if others else "none beside the molecules")
        + f"; say which one holds the measured labels (--label-column); {listed(table.columns)}"
    )


def verdicts(
    entries: Sequence[Entry], labels: Sequence[Explained], merged: Iterable[MergedRows]
) -> tuple[SupportRow, ...]:
    """One row for each entry, in order.

    Args:
        entries: [n_rows].
        labels: [n_rows], what the label of each came to.
        merged: what the rows of each compound came to.
    """
    kept: dict[int, str] = {}
    conflicting: dict[int, str] = {}
    for one in merged:
        kept |= one.kept
        conflicting |= one.conflicting
    rows = []
    for entry, label in zip(entries, labels, strict=True):
        number, status, reason = entry.number, entry.outcome.status, entry.outcome.reason
        if number in conflicting:
            status, reason = Status.CONFLICT, conflicting[number]
        elif number in kept:
            status = Status.OK_CHANGED if kept[number] else status
            reason = "; ".join(filter(None, (reason, kept[number])))
        elif isinstance(entry.outcome, Molecule):
            status, reason = Status.LABEL_ERROR, label.reason
        label_text = "" if entry.label is None else str(entry.label)
        rows.append(SupportRow(number, entry.text, label_text, status, reason))
    return tuple(rows)


def table_of_why(rows: Sequence[SupportRow]) -> str:
    """A line for each kind of failure, with the first row of it."""
    counts = Counter(row.status for row in rows if not row.is_kept)
    first = {row.status: row for row in reversed(rows)}
    return "".join(
        f"\n  {count} x {status} (row {first[status].number}: {first[status].reason})"
        for status, count in counts.most_common()
    )


def row_notes(rows: Sequence[SupportRow]) -> Iterator[str]:
    """What the user should know of rows that are left out or merged, if any."""
    if out := sum(not row.is_kept for row in rows):
        yield f"{out} of {len(rows)} rows cannot be used:{table_of_why(rows)}"
    if again := [row.number for row in rows if row.is_kept and "merged: " in row.reason]:
        yield f"{len(again)} rows repeat a compound and were merged into it: {_listed(again)}"


def size_notes(n: int) -> Iterator[str]:
    """What the user should know of a support of `n` compounds, if anything."""
    if n < SMALL:
        yield f"only {n} compounds to learn from: take the ranking as a hint, no more"
    if n > LARGE:
        yield f"{n} compounds are enough for an ordinary QSAR model, which may well do better"


def _listed(numbers: Sequence[int], most: int = 10) -> str:
    more = " ..." if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def _too_many() -> SupportError:
    return SupportError(
        f"a support set has at most {MAX_ROWS} rows; for that many, train an ordinary QSAR model, "
        "or give a sample of them"
    )
