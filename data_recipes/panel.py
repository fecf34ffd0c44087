"""A table of measurements in either of its forms to the cells of each assay.

Long form has one measurement a row and a column that names the assay; wide form has one molecule a
row and one column an assay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from data_recipes.building import Build
from molmeta.assays.labels import (
    LOG_UNIT,
    MISSING_WORDS,
    Measurement,
    Unit,
    read_label,
    unit_in_header,
)
from molmeta.assays.readers.columns import LABEL_COLUMNS, known_column, listed, named_column
from molmeta.assays.tables import Row, Table
from molmeta.errors import ConfigError, InputError

ASSAY_COLUMNS = ("assay_id", "assay_chembl_id", "assay", "assay_name", "aid", "task")
"""Headers taken for the names of assays, the likeliest first; they make a table a long one."""
VALUE_COLUMNS = ("value", "standard_value", "measurement", "result")
RELATION_COLUMNS = ("relation", "standard_relation", "qualifier", "operator")
UNIT_COLUMNS = ("unit", "units", "standard_units")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a user names; what is None is found by its header, if it is known."""

    assay: str | None = None
    values: Sequence[str] = ()
    """In long form at most one; in wide form the assays, all other columns if there is none."""
    label: str | None = None
    relation: str | None = None
    unit: str | None = None
    is_wide: bool = False
    """Whether to take a table for wide that has a column called like the names of assays."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement, as the file has it."""

    row: int
    """Its place among the data rows, from 1."""
    smiles: str
    text: str
    """The value, with its relation and unit where they stand in columns of their own."""
    label: str | None = None
    """The class, where that has a column of its own."""


@dataclass(slots=True)
class Panel:
    """All measurements of a table."""

    assays: dict[str, list[Cell]] = field(default_factory=dict)
    """By name, in the order of the file."""
    units: dict[str, Unit] = field(default_factory=dict)
    """By assay, what the header of its values says; "" for nothing."""
    has_labels: bool = False
    """Whether classes have a column of their own."""
    n_read: int = 0
    """Measurements, empty ones among them; in wide form rows times columns."""
    notes: list[str] = field(default_factory=list)


def read_panel(table: Table, columns: Columns, build: Build) -> Panel:
    """The cells of each assay; those without any text are counted as dropped.

    Raises:
        InputError: a column is not there, or the file turns out to be damaged.
        ConfigError: columns that do not go together.
    """
    assay = _place(table, columns.assay, () if columns.is_wide else ASSAY_COLUMNS)
    if assay is None:
        panel = _read_wide(table, columns, build)
    else:
        panel = _read_long(table, assay, columns, build)
    panel.notes = [*table.notes, *panel.notes]
    return panel


def _place(table: Table, wanted: str | None, known: Sequence[str]) -> int | None:
    if wanted is not None:
        return named_column(table.columns, wanted, table.source)
    return known_column(table.columns, known, table.source)


def _read_long(table: Table, assay: int, columns: Columns, build: Build) -> Panel:
    if len(columns.values) > 1:
        raise ConfigError("in long form, one row a measurement, there is one column of values")
    named = next(iter(columns.values), None)
    label = _place(table, columns.label, () if named else LABEL_COLUMNS)
    value = _place(table, named, VALUE_COLUMNS)
    if value is None:
        value, label = label, None
    if value is None:
        raise InputError(
            f"{table.source} has assays in column '{table.columns[assay]}', but no column called "
            f"'value' or 'label'; say which one holds them (--value-column); "
            f"{listed(table.columns)}"
        )
    relation = _place(table, columns.relation, RELATION_COLUMNS)
    unit = _place(table, columns.unit, UNIT_COLUMNS)
    places = {"assays": assay, "values": value, "labels": label}
    places |= {"relations": relation, "units": unit}
    panel = Panel(has_labels=label is not None)
    panel.notes = [
        f"{what} are taken from column '{table.columns[place]}'"
        for what, place in places.items()
        if place is not None
    ]
    in_header = _unit_of(table.columns[value])
    for row in _whole_rows(table, 1, panel, build):
        name = row.cells[assay].strip()
        if not name:
            build.count("dropped", "rows without the name of an assay")
            continue
        text = _joined(row.cells[value], _cell(row, relation), _cell(row, unit))
        label_text = None if label is None else row.cells[label]
        panel.assays.setdefault(name, []).append(Cell(row.number, row.smiles, text, label_text))
        panel.units[name] = in_header
    return panel


def _read_wide(table: Table, columns: Columns, build: Build) -> Panel:
    if columns.label or columns.relation or columns.unit:
        raise ConfigError(
            "columns of labels, relations or units belong to the long form, one row a measurement; "
            "say which column names the assays (--assay-column)"
        )
    names = columns.values or [name for name in table.columns if name != table.smiles_column]
    if not names:
        raise InputError(f"{table.source} has no column beside the molecules")
    places = {name.strip(): named_column(table.columns, name, table.source) for name in names}
    panel = Panel(units={name: _unit_of(name) for name in places})
    panel.notes = ["no column names the assays: each column is one"]
    for row in _whole_rows(table, len(places), panel, build):
        for name, place in places.items():
            if row.cells[place].strip():
                cell = Cell(row.number, row.smiles, row.cells[place])
                panel.assays.setdefault(name, []).append(cell)
            else:
                build.count("dropped", "empty cells")
    return panel


def _whole_rows(table: Table, n_cells: int, panel: Panel, build: Build) -> Iterator[Row]:
    """The rows that the file did not damage, each of which has `n_cells` measurements."""
    for row in table:
        panel.n_read += n_cells
        if row.problem is None:
            yield row
        else:
            build.count("dropped", f"rows that are damaged: {row.problem.status}", n_cells)


def _cell(row: Row, place: int | None) -> str:
    # ChEMBL's own CSV files quote the relation once more: '='.
    text = "" if place is None else row.cells[place].strip().strip("'\"")
    return "" if text.lower() in MISSING_WORDS else text


def _unit_of(header: str) -> Unit:
    """The unit of a column's values, as far as its header says: `pIC50`, `% inh.`, `Ki (nM)`."""
    for word in re.split(r"[\s_()\[\],]+", header):
        named = read_label(f"1 {word}")
        if isinstance(named, Measurement) and named.unit in (LOG_UNIT, "%"):
            return named.unit
    return unit_in_header(header)


def _joined(value: str, relation: str, unit: str) -> str:
    """One cell as a chemist would have written it, out of its three columns."""
    reading = read_label(value)
    if not isinstance(reading, Measurement):
        return value
    if relation not in ("", "=") and not value.lstrip().startswith(relation):
        value = f"{relation} {value}"
    return value if reading.unit or not unit else f"{value} {unit}"
