"""The cells of one assay to classes and values, read as `molmeta adapt` reads a label column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from data_recipes.measured import Threshold, Value, stated_threshold, value_of
from data_recipes.panel import Cell
from molmeta.assays.label_column import Side
from molmeta.assays.labels import (
    LOG_UNIT,
    MOLAR_UNITS,
    Measurement,
    Reading,
    Unit,
    Unusable,
    read_label,
    with_unit,
)
from molmeta.chem.status import shown

NOT_UNDERSTOOD: Final = "cells that are not understood"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user says of all assays."""

    unit: Unit = ""
    """Of numbers for which neither cell nor header states one."""
    bar: Measurement | None = None
    """The threshold, in its own unit; None for the rule of FS-Mol."""
    active: Side = "above"
    """The side of it that is active."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one cell says of its molecule: a class, a value, or both."""

    smiles: str
    is_active: bool | None
    value: Value | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A cell that is left out."""

    cell: Cell
    kind: str
    """What is counted, as a noun in the plural."""
    reason: str


@dataclass(frozen=True, slots=True)
class Entries:
    """What the cells of one assay say."""

    entries: tuple[Entry, ...]
    dropped: tuple[Dropped, ...]
    threshold: Threshold | None = None
    """As stated, on the scale of the values; None where there is none to be used."""


class Refused(Exception):
    """An assay that cannot be read; the message says why."""


def read_labelled(cells: Sequence[Cell], unit: Unit, rules: Rules) -> Entries:
    """The classes of an assay from their own column, and the values beside them.

    Raises:
        Refused: most labels are no classes.
    """
    readings = _readings([cell.label or "" for cell in cells])
    _check_understood(readings, cells)
    entries, dropped = [], []
    for cell, reading in zip(cells, readings, strict=True):
        if isinstance(reading, Unusable):
            dropped.append(_unusable(cell, reading))
        elif (is_active := _class(reading)) is None:
            reason = f"{shown(cell.label or '')} is neither of two classes"
            dropped.append(Dropped(cell, NOT_UNDERSTOOD, reason))
        else:
            measured = with_unit(with_unit(read_label(cell.text), unit), rules.unit)
            value = value_of(measured) if isinstance(measured, Measurement) else None
            entries.append(Entry(cell.smiles, is_active, value))
    return Entries(tuple(entries), tuple(dropped))


def read_measured(cells: Sequence[Cell], unit: Unit, rules: Rules) -> Entries:
    """The classes or values of an assay from one column.

    Args:
        cells: of the assay.
        unit: what the header says of numbers without one.
        rules: what the user says.

    Raises:
        Refused: most cells are neither classes nor values, values have no unit and there is no
            threshold, or their unit is none that it can be compared with.
    """
    readings = [with_unit(reading, unit) for reading in _readings([cell.text for cell in cells])]
    _check_understood(readings, cells)
    has_values = any(isinstance(r, Measurement) and _class(r) is None for r in readings)
    if has_values:
        readings = [with_unit(reading, rules.unit) for reading in readings]
    said_by: list[tuple[Cell, bool | Value]] = []
    dropped: list[Dropped] = []
    units: Counter[Unit] = Counter()
    for cell, reading in zip(cells, readings, strict=True):
        if isinstance(reading, Unusable):
            dropped.append(_unusable(cell, reading))
        elif not has_values or isinstance(reading, bool):
            said_by.append((cell, bool(_class(reading))))
        elif (value := value_of(reading)) is None:
            dropped.append(Dropped(cell, "cells with a range too wide for a value", cell.text))
        else:
            said_by.append((cell, value))
            units[reading.unit] += 1
    scale = _commonest_scale(units)
    entries = []
    for cell, said in said_by:
        if isinstance(said, bool):
            entries.append(Entry(cell.smiles, said, None))
        elif said.unit == scale:
            entries.append(Entry(cell.smiles, None, said))
        else:
            dropped.append(Dropped(cell, "cells in a unit unlike most of their assay", cell.text))
    threshold = _threshold(units, scale, rules) if units else None
    return Entries(tuple(entries), tuple(dropped), threshold)


def _unusable(cell: Cell, reading: Unusable) -> Dropped:
    kind = "cells without a value" if reading.is_missing else NOT_UNDERSTOOD
    return Dropped(cell, kind, reading.reason)


def _readings(texts: Sequence[str]) -> list[Reading]:
    # A dash is the opposite of a plus only where there are pluses; elsewhere it is an empty cell.
    has_plus = any(text.strip() == "+" for text in texts)
    return [read_label("" if text.strip() == "-" and not has_plus else text) for text in texts]


def _class(reading: Reading) -> bool | None:
    """The class that is meant, where there are no values: 1 and 0 are classes then."""
    if isinstance(reading, Measurement) and reading in (_ZERO, _ONE):
        return reading == _ONE
    return reading if isinstance(reading, bool) else None


def _check_understood(readings: Sequence[Reading], cells: Sequence[Cell]) -> None:
    """Refuse a column of something else, such as names, in which a few cells look like labels."""
    odd = [
        cell.label or cell.text
        for cell, reading in zip(cells, readings, strict=True)
        if isinstance(reading, Unusable) and not reading.is_missing
    ]
    n_filled = sum(not (isinstance(r, Unusable) and r.is_missing) for r in readings)
    if 2 * len(odd) > n_filled:
        raise Refused(f"most of its cells are neither classes nor values, such as {shown(odd[0])}")


def _scale(unit: Unit) -> Unit:
    """The unit of stored values: `nM` for all that can be turned into it."""
    return "nM" if unit in MOLAR_UNITS or unit == LOG_UNIT else unit


def _commonest_scale(units: Counter[Unit]) -> Unit:
    scales: Counter[Unit] = Counter()
    for unit, n in units.items():
        scales[_scale(unit)] += n
    return max(sorted(scales, reverse=True), key=lambda scale: scales[scale], default="")


def _threshold(units: Counter[Unit], kept: Unit, rules: Rules) -> Threshold | None:
    bar = rules.bar
    if bar is None:
        if not kept:
            raise Refused(
                "its values have no unit; state it (--unit nM, or --unit % for an inhibition), or "
                "a threshold with its active side (--threshold, --active)"
            )
        return None
    of_kept = sorted(unit for unit in units if _scale(unit) == kept)
    if not bar.unit:
        if len(of_kept) > 1:
            raise Refused(
                f"its values are in {' and '.join(of_kept)}; state the unit of the threshold too, "
                "as in '1 uM'"
            )
        in_its_unit = with_unit(bar, of_kept[0])
        if not isinstance(in_its_unit, Measurement):
            raise Refused(f"the threshold {bar.low:g} cannot be in {of_kept[0]}")
        bar = in_its_unit
    if _scale(bar.unit) != kept:
        raise Refused(
            f"the threshold is in {bar.unit}, its values in {kept or 'no unit'}, which cannot be "
            "compared"
        )
    return stated_threshold(bar, rules.active)


_ZERO: Final = Measurement(0.0, 0.0)
_ONE: Final = Measurement(1.0, 1.0)
