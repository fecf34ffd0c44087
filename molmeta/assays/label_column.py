"""A column of labels to one class a row: classes already, or values that a threshold decides.

What a single cell may say is in `labels`; here the cells are held against each other, since `1` is
a class among zeros and ones, and a value among 3.2 and 870.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

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
from molmeta.errors import ConfigError, SupportError

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How a value becomes a class."""

    threshold: float
    active: Side
    """The side that is active; the threshold itself belongs to it."""
    unit: str
    is_log: bool
    """Whether the values are logarithms already, such as pIC50."""

    def is_active(self, value: float) -> bool:
        """The class of one exact value."""
        return value >= self.threshold if self.active == "above" else value <= self.threshold

    def median(self, values: Sequence[float]) -> float:
        """The middle value; of two middle ones the mean, geometric unless they are logarithms."""
        if self.is_log or min(values) <= 0:
            return median(values)
        return math.exp(median(math.log(value) for value in values))

    def spread(self, values: Sequence[float]) -> float:
        """Log units between the lowest and the highest; 0 where a logarithm has no meaning."""
        if self.is_log:
            return max(values) - min(values)
        return math.log10(max(values) / min(values)) if min(values) > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Label:
    """What one row's label came to."""

    text: str
    """As given."""
    active: bool | None
    """None where it gives no class."""
    value: float | None = None
    """The exact value, in the unit of the scale, where there is one."""
    reason: str = ""
    """Why there is no class."""


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """The labels of all rows, in order."""

    labels: tuple[Label, ...]
    scale: Scale | None
    """None where the labels were classes already."""
    notes: tuple[str, ...]


def read_labels(
    labels: Sequence[object],
    *,
    threshold: float | str | None = None,
    active: Side | None = None,
    unit: Unit = "",
) -> LabelColumn:
    """One class for each label that gives one, and the reason for each that does not.

    Args:
        labels: text, bools or numbers, as `labels.read_label` takes them; None is no label.
        threshold: turns values into classes; a number in the unit of the labels, or text with its
            own unit ("1 uM").
        active: the side of the threshold that is active, which is "below" for an IC50 and "above"
            for a pIC50 or a percentage of inhibition; the threshold itself counts as active.
        unit: of numbers that are written without one, when they are compared with the threshold.

    Raises:
        ConfigError: a threshold without a side, or the reverse, or no number.
        SupportError: labels that are neither classes nor values, values without a threshold,
            classes with one, or units that do not go together.
    """
    bar = read_threshold(threshold, active)
    texts = ["" if label is None else str(label) for label in labels]
    # A dash is the opposite of a plus only where there are pluses; elsewhere it is an empty cell.
    if "+" not in (plain := [text.strip() for text in texts]):
        labels = [None if text == "-" else label for text, label in zip(plain, labels, strict=True)]
    readings = [read_label(label) for label in labels]
    if bar is None or active is None:
        return LabelColumn(_classes(readings, texts), None, ())
    return _compared([with_unit(reading, unit) for reading in readings], texts, bar, active)


def read_threshold(threshold: float | str | None, active: Side | None) -> Measurement | None:
    """The exact value that a user states as a threshold, with its unit if it has one, or None.

    Raises:
        ConfigError: a threshold without a side, or the reverse, or no number.
    """
    if threshold is None:
        if active is not None:
            raise ConfigError(
                f"the active side is '{active}' but there is no threshold (--threshold)"
            )
        return None
    if active not in ("above", "below"):
        raise ConfigError(
            f"with the threshold {threshold}, say which side is active: above or below (--active); "
            "below for an IC50 or Ki, above for a pIC50 or a percentage of inhibition"
        )
    bar = read_label(threshold)
    if not isinstance(bar, Measurement) or not bar.is_exact:
        raise ConfigError(f"the threshold {threshold!r} is no number")
    return bar


def _classes(readings: Sequence[Reading], texts: Sequence[str]) -> tuple[Label, ...]:
    values = {reading for reading in readings if isinstance(reading, Measurement)}
    unknown = [
        text
        for reading, text in zip(readings, texts, strict=True)
        if isinstance(reading, Unusable) and not reading.is_missing
    ]
    if values <= _ZERO_AND_ONE and not unknown:
        return tuple(
            Label(text, None, reason=reading.reason)
            if isinstance(reading, Unusable)
            else Label(text, reading if isinstance(reading, bool) else reading.low == 1)
            for reading, text in zip(readings, texts, strict=True)
        )
    if not values <= _ZERO_AND_ONE:
        _refuse_values(values, texts, readings)
    raise SupportError(
        f"labels {_some(unknown)} are neither active nor inactive; use active/inactive, 1/0, "
        "yes/no, true/false, +/-, A/I or pos/neg, or leave the cell empty"
    )


def _refuse_values(
    values: set[Measurement], texts: Sequence[str], readings: Sequence[Reading]
) -> None:
    found = _some(
        [t for t, reading in zip(texts, readings, strict=True) if isinstance(reading, Measurement)]
    )
    if all(v.is_exact and v.low.is_integer() and abs(v.low) <= 3 and not v.unit for v in values):
        raise SupportError(
            f"labels are the codes {found}, and molmeta cannot know which of them is active; write "
            "1 and 0, or state a threshold and its active side (--threshold 2 --active above)"
        )
    raise SupportError(
        f"labels are measured values ({found}) and not classes; state a threshold and its active "
        "side (--threshold 1000 --active below, or --threshold 6 --active above for pIC50)"
    )


def _compared(
    readings: Sequence[Reading], texts: Sequence[str], bar: Measurement, active: Side
) -> LabelColumn:
    found = {
        place: reading for place, reading in enumerate(readings) if isinstance(reading, Measurement)
    }
    if not found and any(isinstance(reading, bool) for reading in readings):
        raise SupportError(
            f"a threshold was given, but the labels are classes already ({_some(texts)}); "
            "leave the threshold out"
        )
    unit = _common_unit(found, texts, bar)
    bar = bar.in_unit(unit) if bar.unit else bar
    found = {place: reading.in_unit(unit) for place, reading in found.items()}
    exact = [reading.low for reading in found.values() if reading.is_exact]
    looks_log = len(exact) >= 3 and all(3 <= value <= 11 for value in exact)
    scale = Scale(bar.low, active, unit, unit == LOG_UNIT or (looks_log and not unit))
    labels = []
    for place, (reading, text) in enumerate(zip(readings, texts, strict=True)):
        if isinstance(reading, Unusable):
            labels.append(Label(text, None, reason=reading.reason))
        elif isinstance(reading, bool):
            labels.append(Label(text, reading))
        else:
            measured = found[place]
            verdict = measured.is_active(scale.threshold, active)
            value = measured.low if measured.is_exact else None
            reason = "" if verdict is not None else _undecided(text, scale)
            labels.append(Label(text, verdict, value, reason))
    return LabelColumn(tuple(labels), scale, _warnings(scale, exact, looks_log))


def _common_unit(found: dict[int, Measurement], texts: Sequence[str], bar: Measurement) -> str:
    """The unit to compare in: the threshold's, else the one all labels share.

    Raises:
        SupportError: units that cannot be turned into each other, or a threshold that could
            be meant in several.
    """
    examples = {reading.unit: texts[place] for place, reading in reversed(found.items())}
    units = set(examples)
    shown_units = ", ".join(
        f"{unit or 'no unit'} ({shown(examples[unit])})" for unit in sorted(units)
    )
    if len(units) > 1 and not units <= set(MOLAR_UNITS):
        raise SupportError(
            f"labels mix {shown_units}, which cannot be compared; write all in one unit"
        )
    if not bar.unit:
        if len(units) > 1:
            raise SupportError(
                f"labels mix {shown_units}; state the unit of the threshold too, as in '1 uM'"
            )
        return next(iter(units), "")
    if units <= {bar.unit} or units | {bar.unit} <= set(MOLAR_UNITS):
        return bar.unit
    raise SupportError(
        f"the threshold is in {bar.unit} but labels are in {shown_units}; state the threshold in "
        "the unit of the labels"
    )


def _warnings(scale: Scale, exact: Sequence[float], looks_log: bool) -> tuple[str, ...]:
    unit = f" {scale.unit}" if scale.unit else ""
    sign = ">=" if scale.active == "above" else "<="
    notes = [f"active means a value {sign} {scale.threshold:g}{unit}"]
    if looks_log and (
        scale.active == "below" or scale.unit in MOLAR_UNITS or not 3 <= scale.threshold <= 11
    ):
        notes.append(
            "all values lie between 3 and 11, as pIC50 values do; if they are, the threshold "
            "should be one too (6 is 1 uM) and the active side above"
        )
    if scale.active == "above" and scale.unit in MOLAR_UNITS:
        notes.append(f"high concentrations ({scale.unit}) count as active; is that what was meant?")
    if scale.active == "below" and scale.unit == LOG_UNIT:
        notes.append("low pIC50 values count as active; is that what was meant?")
    lowest = min(exact, default=1.0)
    if scale.active == "below" and not scale.unit and lowest <= 0 < max(exact):
        notes.append(
            f"values of zero or less (down to {lowest:g}) count as active; a concentration is "
            "never that low, so empty those cells if they mean 'not measured'"
        )
    return tuple(notes)


def _undecided(text: str, scale: Scale) -> str:
    return f"{shown(text)} may lie on either side of the threshold {scale.threshold:g}"


def _some(texts: Sequence[str], most: int = 5) -> str:
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(shown(text) for text in distinct[:most]) + more


_ZERO_AND_ONE = {Measurement(0.0, 0.0), Measurement(1.0, 1.0)}
