"""Measured values to classes: on one scale, and parted by a threshold.

The threshold is stated, or follows the rule of FS-Mol (Stanley et al. 2021, NeurIPS Datasets and
Benchmarks; in its `fs_mol/preprocessing`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from molmeta.assays.label_column import Side
from molmeta.assays.labels import LOG_UNIT, MOLAR_UNITS, Measurement

if TYPE_CHECKING:
    import pyarrow as pa

PERCENT: Final = "%"

FIXED_THRESHOLD: Final = {LOG_UNIT: 5.0, PERCENT: 50.0}
"""Of assays whose median would part weak compounds from weaker ones, or strong from stronger."""

MEDIAN_RANGE: Final = (4.0, 6.0)
ENZYME_MEDIAN_RANGE: Final = (5.0, 7.0)
"""pIC50 between which the median of an assay is its threshold, ends included."""

WIDEST_RANGE: Final = 1.0
"""Log units from end to end of a range of concentrations that its middle may stand for."""

_TURNED: Final = str.maketrans("<>", "><")
"""Of a concentration to its pIC50: the higher the one, the lower the other."""


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value, as it is stored."""

    unit: str
    """`nM` for every concentration; "%", or "" where none is stated."""
    value: float
    """In that unit; of a bound its end, of a range its middle."""
    log_value: float | None
    """Minus log10 molar; None for what is no concentration."""
    relation: str
    """Of the truth to `value`: `=`, `~` for a range, `<`, `<=`, `>`, `>=`."""

    @property
    def on_scale(self) -> float:
        """What is compared: the pIC50 of a concentration, else the value."""
        return self.value if self.log_value is None else self.log_value

    @property
    def reading(self) -> Measurement:
        """Where the truth lies, on that scale."""
        relation = self.relation if self.log_value is None else self.relation.translate(_TURNED)
        is_open, x = "=" not in relation, self.on_scale
        if "<" in relation:
            return Measurement(-math.inf, x, open_high=is_open)
        if ">" in relation:
            return Measurement(x, math.inf, open_low=is_open)
        return Measurement(x, x)


def value_of(reading: Measurement) -> Value | None:
    """The value of a measurement; None for a range that is too wide, or of no concentrations."""
    is_log = reading.unit == LOG_UNIT
    if reading.unit in MOLAR_UNITS:
        reading = reading.in_unit("nM")
    low, high = reading.low, reading.high
    if reading.is_exact:
        number, relation = low, "="
    elif low == -math.inf:
        number, relation = high, "<" if reading.open_high else "<="
    elif high == math.inf:
        number, relation = low, ">" if reading.open_low else ">="
    elif is_log and high - low <= WIDEST_RANGE:
        number, relation = (low + high) / 2, "~"
    elif reading.unit == "nM" and math.log10(high / low) <= WIDEST_RANGE:
        number, relation = math.sqrt(low * high), "~"
    else:
        return None
    if is_log:
        return Value("nM", 10 ** (9 - number), number, relation.translate(_TURNED))
    if reading.unit == "nM":
        # Rounded, so that 70 nM and 0.07 uM are one value, and neither is above the other.
        return Value("nM", number, round(9 - math.log10(number), 9), relation)
    return Value(reading.unit, number, None, relation)


def values_in(rows: pa.Table) -> list[Value | None]:
    """[n], from the columns `unit`, `value`, `log_value` and `relation`; None where empty."""
    columns = (rows[name].to_pylist() for name in ("unit", "value", "log_value", "relation"))
    return [
        None if value is None else Value(unit, value, log_value, relation)
        for unit, value, log_value, relation in zip(*columns, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What parts the active compounds of an assay from the inactive."""

    value: float
    """On the scale of the values: pIC50 for concentrations."""
    active: Side = "above"
    is_active: bool = False
    """Whether the threshold itself is."""

    def label(self, value: Value) -> bool | None:
        """The class of a value; None where a bound leaves both open."""
        if self.is_active:
            return value.reading.is_active(self.value, self.active)
        is_inactive = value.reading.is_active(
            self.value, "below" if self.active == "above" else "above"
        )
        return None if is_inactive is None else not is_inactive


def stated_threshold(bar: Measurement, active: Side) -> Threshold:
    """The exact threshold that a user states; as for a support set, it is active itself."""
    if bar.unit in MOLAR_UNITS:
        active = "below" if active == "above" else "above"
    value = value_of(bar)
    return Threshold(bar.low if value is None else value.on_scale, active, is_active=True)


def fsmol_threshold(values: Sequence[Value], *, is_enzyme: bool = False) -> Threshold:
    """The threshold of an assay by the rule of FS-Mol, above which compounds are active.

    The median, if it is between pIC50 4 and 6 (enzymes: 5 and 7), else 5. For an inhibition in
    percent the median, if it is at least 50, else 50.

    Args:
        values: one for each compound, all concentrations or all percent.
        is_enzyme: whether the target, or part of it, is an enzyme; False where it is not known.
    """
    middle = median(value.on_scale for value in values)
    if values[0].unit == PERCENT:
        return Threshold(max(middle, FIXED_THRESHOLD[PERCENT]))
    low, high = ENZYME_MEDIAN_RANGE if is_enzyme else MEDIAN_RANGE
    return Threshold(middle if low <= middle <= high else FIXED_THRESHOLD[LOG_UNIT])
