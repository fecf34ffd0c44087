"""Labelled rows to a support set: compounds merged and ordered, and a verdict on every row."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from molmeta.assays.label_column import LabelColumn, Side, read_labels
from molmeta.assays.labels import Unit, unit_in_header
from molmeta.assays.readers.columns import LABEL_COLUMNS, known_column, listed, named_column
from molmeta.assays.replicates import Conflict, Merged, Replicate, look_alike_notes, merge
from molmeta.assays.tables import Table
from molmeta.chem.intake import Molecule, Rejection, Status, read_smiles
from molmeta.errors import ConfigError, InputError, SupportError

MAX_ROWS = 10_000
"""A closed-form head solves a system of this size in seconds; ten times as many take hours."""

_LARGE = 1_000
_SMALL = 8
_RARE = 0.1


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


@dataclass(frozen=True, slots=True)
class SupportSet:
    """The compounds a model adapts to; they do not depend on the order of the rows."""

    molecules: tuple[Molecule, ...]
    """[n_support], each compound once, sorted by canonical SMILES."""
    labels: tuple[float, ...]
    """[n_support]; 1 is active and 0 inactive."""
    rows: tuple[SupportRow, ...]
    """One for each row of the input, in its order."""
    notes: tuple[str, ...]
    """What the user should know, in words."""

    def __len__(self) -> int:
        return len(self.molecules)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row on its way: what was given, and what was made of its molecule."""

    number: int
    text: str
    label: object
    outcome: Molecule | Rejection


def build_support(
    smiles: Sequence[object],
    labels: Sequence[object],
    *,
    threshold: float | str | None = None,
    active: Side | None = None,
    conflict: Conflict = "drop",
    allow_tiny: bool = False,
) -> SupportSet:
    """The support set of molecules and labels given side by side.

    Args:
        smiles: [n_rows]; SMILES, or anything else `read_smiles` takes.
        labels: [n_rows]; classes, or values with `threshold` and `active` (see `read_labels`).
        threshold: turns values into classes, in the unit of the labels or with its own ("1 uM").
        active: the side of the threshold that is active.
        conflict: what to do with a compound whose rows contradict each other: leave it out, refuse
            the whole, or take the class most of its rows have. Replicate values are no
            contradiction: their median counts, save under "error".
        allow_tiny: accept actives alone, even a single one: they teach no difference, but other
            compounds can be ranked by their similarity to them.

    Raises:
        InputError: not two sequences of one length.
        SupportError: nothing to learn from: no usable row, one class, labels that are not labels.
        ConfigError: settings that contradict each other.
    """
    if isinstance(smiles, str | bytes) or isinstance(labels, str | bytes):
        raise InputError("molecules and labels come as two lists, not as one text")
    if len(smiles) != len(labels):
        raise InputError(f"there are {len(smiles)} molecules but {len(labels)} labels")
    entries = [
        _Entry(number, "" if text is None else str(text), label, read_smiles(text))
        for number, (text, label) in enumerate(zip(smiles, labels, strict=True), start=1)
    ]
    return _assemble(entries, threshold, active, conflict, allow_tiny, ())


def read_support(
    table: Table,
    *,
    label_column: str | None = None,
    threshold: float | str | None = None,
    active: Side | None = None,
    conflict: Conflict = "drop",
    allow_tiny: bool = False,
) -> SupportSet:
    """The support set of an open table.

    Args:
        table: read to its end.
        label_column: its exact header. Without it: a header out of `LABEL_COLUMNS`, else the only
            column beside the molecules.
        threshold: as in `build_support`.
        active: as in `build_support`.
        conflict: as in `build_support`.
        allow_tiny: as in `build_support`.

    Raises:
        InputError: `label_column` is not there, or the file turns out to be damaged.
        SupportError: as in `build_support`, and if no column can be told to be the label.
        ConfigError: settings that contradict each other.
    """
    place = _label_place(table, label_column)
    entries: list[_Entry] = []
    for row in table:
        if len(entries) == MAX_ROWS:
            raise _too_many()
        outcome = row.problem or read_smiles(row.smiles)
        entries.append(_Entry(row.number, row.smiles, row.cells[place], outcome))
    header = table.columns[place]
    column = f"labels are taken from column '{header}'"
    unit = unit_in_header(header)
    notes = tuple(table.notes)
    try:
        support = _assemble(entries, threshold, active, conflict, allow_tiny, notes, unit)
    except SupportError as error:
        raise SupportError(f"{table.source}: {error} ({column})") from None
    return replace(support, notes=(column, *support.notes))


def _label_place(table: Table, wanted: str | None) -> int:
    if wanted is not None:
        return named_column(table.columns, wanted, table.source)
    place = known_column(table.columns, LABEL_COLUMNS, table.source)
    if place is not None:
        return place
    others = [i for i, column in enumerate(table.columns) if column != table.smiles_column]
    if len(others) == 1:
        return others[0]
    raise SupportError(
        f"{table.source} has no column called 'label', and "
        + ("several could be it" if others else "none beside the molecules")
        + f"; say which one holds the measured labels (--label-column); {listed(table.columns)}"
    )


def _assemble(
    entries: Sequence[_Entry],
    threshold: float | str | None,
    active: Side | None,
    conflict: Conflict,
    allow_tiny: bool,
    notes: tuple[str, ...],
    unit: Unit = "",
) -> SupportSet:
    if conflict not in ("drop", "error", "majority"):
        raise ConfigError(f"conflict is 'drop', 'error' or 'majority', not {conflict!r}")
    if len(entries) > MAX_ROWS:
        raise _too_many()
    # The label of a row without a molecule is not looked at: such rows are often headings and sums.
    column = read_labels(
        [entry.label if isinstance(entry.outcome, Molecule) else None for entry in entries],
        threshold=threshold,
        active=active,
        unit=unit,
    )
    compounds = _compounds(entries, column)
    merged = {smiles: merge(rows, column.scale, conflict) for smiles, rows in compounds.items()}
    rows = _verdicts(entries, column, merged.values())
    if conflict == "error" and (clashes := [m.note for m in merged.values() if m.active is None]):
        raise SupportError(
            f"{len(clashes)} compounds contradict themselves: {'; '.join(clashes[:5])}"
        )
    molecules: list[Molecule] = []
    labels: list[float] = []
    for smiles in sorted(merged):
        if (is_active := merged[smiles].active) is not None:
            molecules.append(_representative(compounds[smiles]))
            labels.append(float(is_active))
    notes += column.notes
    if not (allow_tiny and 1.0 in labels):
        _check_classes(labels, rows, notes)
    notes += (
        *_row_notes(rows),
        *(m.note for m in merged.values() if m.note),
        *_size_notes(labels),
        *look_alike_notes(compounds.values()),
    )
    return SupportSet(tuple(molecules), tuple(labels), rows, notes)


def _compounds(entries: Sequence[_Entry], column: LabelColumn) -> dict[str, list[Replicate]]:
    """The rows with a molecule and a class, by canonical SMILES."""
    compounds: dict[str, list[Replicate]] = {}
    for entry, label in zip(entries, column.labels, strict=True):
        if isinstance(entry.outcome, Molecule) and label.active is not None:
            row = Replicate(entry.number, entry.text, entry.outcome, label)
            compounds.setdefault(entry.outcome.smiles, []).append(row)
    return compounds


def _representative(rows: Sequence[Replicate]) -> Molecule:
    """The same molecule whatever the order of the rows."""
    return min(rows, key=lambda row: (row.molecule.reason, row.text)).molecule


def _verdicts(
    entries: Sequence[_Entry], column: LabelColumn, merged: Iterable[Merged]
) -> tuple[SupportRow, ...]:
    kept: dict[int, str] = {}
    conflicting: dict[int, str] = {}
    for one in merged:
        kept |= one.kept
        conflicting |= one.conflicting
    rows = []
    for entry, label in zip(entries, column.labels, strict=True):
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


def _check_classes(
    labels: Sequence[float], rows: Sequence[SupportRow], notes: Sequence[str]
) -> None:
    """Refuse a support set without both classes: nothing can be told apart from nothing."""
    if not labels:
        raise SupportError(f"none of the {len(rows)} rows can be used{_table_of_why(rows)}")
    if len(set(labels)) == 2:
        return
    found, missing = ("active", "inactive") if labels[0] else ("inactive", "active")
    number = (
        "the only usable compound is" if len(labels) == 1 else f"all {len(labels)} compounds are"
    )
    hints = "; ".join(notes)
    raise SupportError(
        f"{number} {found}; add at least one that is {missing}, or there is nothing to learn from"
        + (" but a ranking by similarity (--allow-tiny)" if labels[0] else "")
        + (f". Note: {hints}" if hints else "")
        + _table_of_why(rows)
    )


def _table_of_why(rows: Sequence[SupportRow]) -> str:
    """A line for each kind of failure, with the first row of it."""
    counts = Counter(row.status for row in rows if not _is_kept(row))
    first = {row.status: row for row in reversed(rows)}
    return "".join(
        f"\n  {count} x {status} (row {first[status].number}: {first[status].reason})"
        for status, count in counts.most_common()
    )


def _row_notes(rows: Sequence[SupportRow]) -> Iterator[str]:
    if out := sum(not _is_kept(row) for row in rows):
        yield f"{out} of {len(rows)} rows cannot be used:{_table_of_why(rows)}"
    if again := [row.number for row in rows if _is_kept(row) and "merged: " in row.reason]:
        yield f"{len(again)} rows repeat a compound and were merged into it: {_listed(again)}"


def _size_notes(labels: Sequence[float]) -> Iterator[str]:
    n, n_active = len(labels), round(sum(labels))
    if n < _SMALL:
        yield f"only {n} compounds to learn from: take the ranking as a hint, no more"
    if n > _LARGE:
        yield f"{n} compounds are enough for an ordinary QSAR model, which may well do better"
    if n >= _SMALL and 0 < min(n_active, n - n_active) < _RARE * n:
        yield f"{n_active} of {n} compounds are active ({n_active / n:.1%}): one class is rare"


def _is_kept(row: SupportRow) -> bool:
    return row.status in (Status.OK, Status.OK_CHANGED)


def _listed(numbers: Sequence[int], most: int = 10) -> str:
    more = " ..." if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def _too_many() -> SupportError:
    return SupportError(
        f"a support set has at most {MAX_ROWS} rows; for that many, train an ordinary QSAR model, "
        "or give a sample of them"
    )
