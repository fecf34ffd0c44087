"""Measured rows to a support of values: compounds merged and ordered, and a verdict on each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from molmeta.assays.entries import (
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
from molmeta.assays.labels import LOG_UNIT, MOLAR_UNITS, Unit, unit_in_header
from molmeta.assays.readers.columns import VALUE_COLUMNS
from molmeta.assays.tables import Table
from molmeta.assays.value_column import Value, names_concentration, read_values
from molmeta.chem.intake import Molecule
from molmeta.errors import ConfigError, InputError, SupportError

_WIDE_SPREAD: Final = 1.0
"""Between replicates, in log units: worth a note."""


@dataclass(frozen=True, slots=True)
class MeasuredSupport:
    """The compounds a model adapts to; they do not depend on the order of the rows."""

    molecules: tuple[Molecule, ...]
    """[n_support], each compound once, sorted by canonical SMILES."""
    values: tuple[float, ...]
    """[n_support], in `unit`."""
    relations: tuple[int, ...]
    """[n_support]; 0 measured, 1 the truth is higher than the value, -1 it is lower."""
    unit: Unit
    """LOG_UNIT where the values were concentrations or their logarithms."""
    rows: tuple[SupportRow, ...]
    """One for each row of the input, in its order."""
    notes: tuple[str, ...]
    """What the user should know, in words."""

    def __len__(self) -> int:
        return len(self.molecules)


@dataclass(frozen=True, slots=True)
class _Merged:
    """What the rows of one compound came to."""

    value: float | None
    """None where they contradict each other."""
    relation: int
    kept: Mapping[int, str]
    conflicting: Mapping[int, str]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row with a molecule and a value."""

    entry: Entry
    molecule: Molecule
    value: float
    relation: int


def build_measured_support(
    smiles: Sequence[object],
    values: Sequence[object],
    relations: Sequence[int] | None = None,
    *,
    unit: Unit = "",
) -> MeasuredSupport:
    """The support of molecules and values given side by side.

    Args:
        smiles: [n_rows]; SMILES, or anything else `read_smiles` takes.
        values: [n_rows]; numbers, or text with units and marks (see `read_values`).
        relations: [n_rows] of the truth to the value: 0 measured, 1 higher, -1 lower; in place of
            marks in the text, and on the scale of pIC50 where values are concentrations.
        unit: of numbers that are written without one, such as "nM".

    Raises:
        InputError: not sequences of one length, or relations that are none.
        SupportError: none of the rows can be used, or units that do not go together.
        ConfigError: no such unit.
    """
    if unit not in (*MOLAR_UNITS, LOG_UNIT, "%", ""):
        raise ConfigError(f"unit is one of {', '.join(MOLAR_UNITS)}, pIC50 or %, not {unit!r}")
    entries = entries_of(smiles, values)
    if relations is not None and len(relations) != len(entries):
        raise InputError(f"there are {len(entries)} values but {len(relations)} relations")
    return _assemble(entries, unit, (), relations)


def read_measured_support(table: Table, *, value_column: str | None = None) -> MeasuredSupport:
    """The support of an open table.

    Args:
        table: read to its end.
        value_column: its exact header. Without it: a header out of `VALUE_COLUMNS`, else the only
            column beside the molecules. Its unit is taken from the header, as in `IC50 (nM)`.

    Raises:
        InputError: `value_column` is not there, or the file turns out to be damaged.
        SupportError: as in `build_measured_support`, if no column can be told to hold the values,
            or if it holds concentrations without a unit.
    """
    place = label_place(table, value_column, VALUE_COLUMNS)
    entries = entries_in(table, place)
    header = table.columns[place]
    unit = unit_in_header(header)
    try:
        support = _assemble(entries, unit, tuple(table.notes))
        if not support.unit and names_concentration(header):
            raise SupportError(
                "these are concentrations without a unit; write it into the header, as in "
                f"'{header} (nM)'"
            )
    except SupportError as error:
        raise SupportError(f"{table.source}: {error} (values of column '{header}')") from None
    return replace(support, notes=(f"values are taken from column '{header}'", *support.notes))


def _assemble(
    entries: Sequence[Entry],
    unit: Unit,
    notes: tuple[str, ...],
    relations: Sequence[int] | None = None,
) -> MeasuredSupport:
    # The label of a row without a molecule is not looked at: such rows are often headings and sums.
    column = read_values(
        [entry.label if isinstance(entry.outcome, Molecule) else None for entry in entries],
        unit=unit,
    )
    values = column.values
    if relations is not None:
        values = tuple(map(_with_relation, values, relations))
    compounds: dict[str, list[_Row]] = {}
    for entry, value in zip(entries, values, strict=True):
        if isinstance(entry.outcome, Molecule) and value.value is not None:
            row = _Row(entry, entry.outcome, value.value, value.relation)
            compounds.setdefault(entry.outcome.smiles, []).append(row)
    merged = {smiles: _merge(compounds[smiles]) for smiles in sorted(compounds)}
    rows = verdicts(entries, values, list(merged.values()))
    kept = {smiles: one for smiles, one in merged.items() if one.value is not None}
    if not kept:
        raise SupportError(f"none of the {len(rows)} rows can be used{table_of_why(rows)}")
    return MeasuredSupport(
        molecules=tuple(_representative(compounds[smiles]) for smiles in kept),
        values=tuple(one.value for one in kept.values() if one.value is not None),
        relations=tuple(one.relation for one in kept.values()),
        unit=column.unit,
        rows=rows,
        notes=(
            *notes,
            *_unit_notes(column.unit),
            *row_notes(rows),
            *(one.note for one in merged.values() if one.note),
            *size_notes(len(kept)),
        ),
    )


def _with_relation(value: Value, relation: int) -> Value:
    if relation not in (-1, 0, 1):
        raise InputError(f"a relation is 0, 1 or -1, not {relation!r}")
    return replace(value, relation=int(relation))


def _merge(rows: Sequence[_Row]) -> _Merged:
    """One value for the rows of one compound.

    Exact values are replicates: their median counts, and bounds beside them add nothing. Of bounds
    alone the tightest counts. Bounds that exclude the median or each other leave the compound out.
    """
    numbers = [row.entry.number for row in rows]
    listed = ", ".join(map(str, sorted(numbers)))
    exact = [row.value for row in rows if row.relation == 0]
    least = max((row.value for row in rows if row.relation == 1), default=None)
    most = min((row.value for row in rows if row.relation == -1), default=None)
    value = median(exact) if exact else (least if least is not None else most)
    relation = 0 if exact else (1 if least is not None else -1)
    assert value is not None
    below = least is not None and value < least
    above = most is not None and value > most
    if below or above or (least is not None and most is not None and not exact):
        told = f"the values of rows {listed} ({rows[0].molecule.smiles}) do not make one value"
        out = dict.fromkeys(numbers, f"contradiction: {told}")
        return _Merged(None, 0, {}, out, f"{told}, and were left out")
    if len(rows) == 1:
        return _Merged(value, relation, {numbers[0]: ""}, {})
    reason = (
        f"the median of {len(exact)} values, {value:.4g}, counts"
        if exact
        else f"the tightest of {len(rows)} bounds, {value:.4g}, counts"
    )
    again = dict.fromkeys(numbers[1:], f"merged: the compound of row {numbers[0]}; {reason}")
    spread = max(exact) - min(exact) if exact else 0.0
    note = f"the values of rows {listed} lie {spread:.1f} apart; {reason}"
    kept = {numbers[0]: reason, **again}
    return _Merged(value, relation, kept, {}, note if spread > _WIDE_SPREAD else "")


def _representative(rows: Sequence[_Row]) -> Molecule:
    """The same molecule whatever the order of the rows."""
    return min(rows, key=lambda row: (row.molecule.reason, row.entry.text)).molecule


def _unit_notes(unit: Unit) -> Iterator[str]:
    if unit == LOG_UNIT:
        yield "values are pIC50, minus log10 of mol/L: 6 is 1 uM, 9 is 1 nM"
    else:
        yield (
            f"values are taken as they are{f', in {unit}' if unit else ''}, and higher ones rank "
            "first; concentrations need a unit, as in a header 'IC50 (nM)'"
        )
