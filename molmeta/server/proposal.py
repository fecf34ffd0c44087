"""What is proposed where a table leaves a choice: the column of labels, and a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from molmeta.assays.entries import label_place
from molmeta.assays.label_column import Side
from molmeta.assays.labels import LOG_UNIT, MOLAR_UNITS, Measurement, read_label, unit_in_header
from molmeta.assays.readers.columns import LABEL_COLUMNS, VALUE_COLUMNS
from molmeta.assays.tables import Table
from molmeta.assays.value_column import names_concentration, read_values
from molmeta.errors import SupportError

_POTENT: Final = 6.0
"""As pIC50: 1 uM, where screening for hits draws the line."""

_INHIBITED: Final = 50.0
"""Percent."""

_FEW: Final = 0.2
"""A customary threshold that leaves less than this share on one side teaches little; the median
of the values does better."""


def proposed_label_place(table: Table, wanted: str | None) -> int:
    """Which column holds the labels: as `label_place`, or the only one whose header has a unit.

    Raises:
        InputError: `wanted` is not there.
        SupportError: no column can be told to be the label.
    """
    try:
        return label_place(table, wanted, (*LABEL_COLUMNS, *VALUE_COLUMNS))
    except SupportError:
        places = [place for place, header in enumerate(table.columns) if _names_values(header)]
        if len(places) != 1:
            raise
        return places[0]


def proposed_threshold(labels: Sequence[str], header: str) -> tuple[str, Side] | None:
    """A threshold with its unit and its active side; None where no side can be told.

    Args:
        labels: [n_rows], as found.
        header: of their column.
    """
    unit = unit_in_header(header)
    try:
        column = read_values(labels, unit=unit)
    except SupportError:
        return None
    values = [value.value for value in column.values if value.value is not None]
    if len(set(values)) < 2:
        return None
    if column.unit == LOG_UNIT:
        bar = _balanced(values, _POTENT)
        if unit in MOLAR_UNITS or any(_is_concentration(label) for label in labels):
            return _concentration(bar), "below"
        return _short(bar), "above"
    if column.unit == "%":
        return f"{_short(_balanced(values, _INHIBITED))} %", "above"
    if names_concentration(header):
        return _short(median(values)), "below"
    if all(3 <= value <= 11 for value in values):
        return _short(_balanced(values, _POTENT)), "above"
    return None


def _names_values(header: str) -> bool:
    is_potency = header.strip().lower().startswith(("pic50", "pki", "pec50", "pkd", "pchembl"))
    return is_potency or bool(unit_in_header(header)) or names_concentration(header)


def _is_concentration(label: str) -> bool:
    reading = read_label(label)
    return isinstance(reading, Measurement) and reading.unit in MOLAR_UNITS


def _balanced(values: Sequence[float], customary: float) -> float:
    """The customary threshold, or the median where that leaves next to nothing on one side."""
    above = sum(value >= customary for value in values) / len(values)
    return customary if _FEW <= above <= 1 - _FEW else median(values)


def _concentration(potency: float) -> str:
    nanomolar = 10 ** (9 - potency)
    return f"{_short(nanomolar)} nM" if nanomolar < 1_000 else f"{_short(nanomolar / 1_000)} uM"


def _short(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"
