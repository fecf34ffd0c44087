"""Labelled rows to a support set: compounds merged and ordered, and a verdict on every row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from molmeta.assays.entries import (
    SMALL,
    Entry,
    SupportRow,
    entries_in,
    entries_of,
    label_place,
    row_notes,
    size_notes,
    table_of_why,
    verdicts,
)
from molmeta.assays.label_column import LabelColumn, Side, read_labels
from molmeta.assays.labels import Unit, unit_in_header
from molmeta.assays.replicates import Conflict, Replicate, look_alike_notes, merge
from molmeta.assays.tables import Table
from molmeta.chem.intake import Molecule
from molmeta.errors import ConfigError, SupportError

_RARE = 0.1


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
    entries = entries_of(smiles, labels)
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
    place = label_place(table, label_column)
    entries = entries_in(table, place)
    header = table.columns[place]
    column = f"labels are taken from column '{header}'"
    unit = unit_in_header(header)
    notes = tuple(table.notes)
    try:
        support = _assemble(entries, threshold, active, conflict, allow_tiny, notes, unit)
    except SupportError as error:
        raise SupportError(f"{table.source}: {error} ({column})") from None
    return replace(support, notes=(column, *support.notes))


def _assemble(
    entries: Sequence[Entry],
    threshold: float | str | None,
    active: Side | None,
    conflict: Conflict,
    allow_tiny: bool,
    notes: tuple[str, ...],
    unit: Unit = "",
) -> SupportSet:
    if conflict not in ("drop", "error", "majority"):
        raise ConfigError(f"conflict is 'drop', 'error' or 'majority', not {conflict!r}")
    # The label of a row without a molecule is not looked at: such rows are often headings and sums.
    column = read_labels(
        [entry.label if isinstance(entry.outcome, Molecule) else None for entry in entries],
        threshold=threshold,
        active=active,
        unit=unit,
    )
    compounds = _compounds(entries, column)
    merged = {smiles: merge(rows, column.scale, conflict) for smiles, rows in compounds.items()}
    rows = verdicts(entries, column.labels, merged.values())
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
        *row_notes(rows),
        *(m.note for m in merged.values() if m.note),
        *size_notes(len(labels)),
        *_balance_notes(labels),
        *look_alike_notes(compounds.values()),
    )
    return SupportSet(tuple(molecules), tuple(labels), rows, notes)


def _compounds(entries: Sequence[Entry], column: LabelColumn) -> dict[str, list[Replicate]]:
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


def _check_classes(
    labels: Sequence[float], rows: Sequence[SupportRow], notes: Sequence[str]
) -> None:
    """Refuse a support set without both classes: nothing can be told apart from nothing."""
    if not labels:
        raise SupportError(f"none of the {len(rows)} rows can be used{table_of_why(rows)}")
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
        + table_of_why(rows)
    )


def _balance_notes(labels: Sequence[float]) -> Iterator[str]:
    n, n_active = len(labels), round(sum(labels))
    if n >= SMALL and 0 < min(n_active, n - n_active) < _RARE * n:
        yield f"{n_active} of {n} compounds are active ({n_active / n:.1%}): one class is rare"
