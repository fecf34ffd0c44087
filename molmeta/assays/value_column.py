"""A column of labels to one value a row, on one scale: concentrations become their pIC50."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from molmeta.assays.labels import (
    LOG_UNIT,
    MOLAR_UNITS,
    Measurement,
    Unit,
    Unusable,
    read_label,
    with_unit,
)
from molmeta.chem.status import shown
from molmeta.errors import SupportError

WIDEST_RANGE: Final = 1.0
"""Log units from end to end of a range that its middle may stand for."""

_CONCENTRATION: Final = re.compile(r"(?<![a-z])([iegacx]c_?50|ki|kd)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """What one row's label came to."""

    text: str
    """As given."""
    value: float | None
    """On the column's scale; None where there is none."""
    relation: int = 0
    """0 measured, 1 the truth is higher than the value, -1 it is lower."""
    reason: str = ""
    """Why there is no value."""


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """The values of all rows, in order."""

    values: tuple[Value, ...]
    unit: Unit
    """LOG_UNIT for all that was a concentration or its logarithm."""


def read_values(labels: Sequence[object], *, unit: Unit = "") -> ValueColumn:
    """One value for each label that has one, and the reason for each that has none.

    Concentrations become minus log10 of mol/L, so that `> 10 uM` bounds the value 5 from above. Of
    a range of at most one log unit the middle counts. Other units, and numbers without one, stay.

    Args:
        labels: text or numbers, as `labels.read_label` takes them; None is no label.
        unit: of numbers that are written without one.

    Raises:
        SupportError: units that do not go together.
    """
    texts = ["" if label is None else str(label) for label in labels]
    readings = [with_unit(read_label(label), unit) for label in labels]
    examples = {
        reading.unit: text
        for reading, text in zip(readings, texts, strict=True)
        if isinstance(reading, Measurement)
    }
    is_log = bool(examples) and examples.keys() <= {*MOLAR_UNITS, LOG_UNIT}
    if len(examples) > 1 and not is_log:
        mixed = ", ".join(f"{unit or 'no unit'} ({shown(examples[unit])})" for unit in examples)
        raise SupportError(f"values mix {mixed}, which cannot be compared; write all in one unit")
    values = []
    for reading, text in zip(readings, texts, strict=True):
        if isinstance(reading, Measurement):
            values.append(_value(_potency(reading) if is_log else reading, text, is_log))
        elif isinstance(reading, Unusable):
            values.append(Value(text, None, reason=reading.reason))
        else:
            values.append(Value(text, None, reason=f"{shown(text)} is a class and no value"))
    return ValueColumn(tuple(values), LOG_UNIT if is_log else next(iter(examples), ""))


def names_concentration(header: str) -> bool:
    """Whether a column's name says that it holds concentrations: `IC50` does, `pIC50` does not."""
    return _CONCENTRATION.search(header) is not None


def _potency(reading: Measurement) -> Measurement:
    """The pIC50 of a concentration; what bounds the one from below bounds the other from above."""
    if reading.unit == LOG_UNIT:
        return reading
    power = MOLAR_UNITS[reading.unit]
    low = math.inf if reading.low <= 0 else -(math.log10(reading.low) + power)
    high = -math.inf if reading.high == math.inf else -(math.log10(reading.high) + power)
    return Measurement(high, low, LOG_UNIT)


def _value(where: Measurement, text: str, is_log: bool) -> Value:
    if where.is_exact:
        return Value(text, where.low)
    if where.low == -math.inf:
        return Value(text, where.high, -1)
    if where.high == math.inf:
        return Value(text, where.low, 1)
    if is_log and where.high - where.low > WIDEST_RANGE:
        return Value(text, None, reason=f"{shown(text)} is too wide a range to stand for a value")
    return Value(text, (where.low + where.high) / 2)
