"""One cell of a label column, as chemists write it, to what it says.

The grammar, blanks and case aside:

    class        active, a, yes, y, true, t, +, pos, positive, hit | inactive, i, no, n, false, ...
    measurement  [relation] number [unit]         5   1e-9   >10   >= 10   <0.1 uM   ~5   1,5   50 %
    range        number - number [unit]           10 - 30 nM   10 to 30
    missing      nothing, n.d., NA, ?, inconclusive, not tested, ...

`1` and `0` are measurements here; `label_column` takes them for classes where all are.
A decimal comma is read (1,5 is one and a half), but a comma before exactly three digits may also
part thousands (1,500), and the cell is then refused.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from molmeta.chem.status import shown

ACTIVE_WORDS = frozenset({"active", "a", "yes", "y", "true", "t", "+", "pos", "positive", "hit"})
INACTIVE_WORDS = frozenset(
    {"inactive", "i", "no", "n", "false", "f", "-", "neg", "negative", "non-hit", "not active"}
    | {"non-active", "nonactive"}
)
MISSING_WORDS = frozenset(
    {"", "?", "na", "n/a", "#n/a", "nan", "<na>", "nat", "none", "null", "nd", "n.d.", "n.d", "nt"}
    | {"n.t.", "n.t", "n.a.", "not determined", "not tested", "not available", "inconclusive"}
    | {"unspecified", "missing", "unknown", "tbd"}
)

MOLAR_UNITS = {"M": 0, "mM": -3, "uM": -6, "nM": -9, "pM": -12, "fM": -15}
"""Concentrations, as powers of ten of mol/L."""

LOG_UNIT = "pIC50"
"""Minus the log10 of a concentration in mol/L, whichever of the names in use was given."""

Unit = str
"""A key of MOLAR_UNITS, LOG_UNIT, "%" or "" for none stated."""

# In small letters the units are still apart, as nobody measures in megamolar.
_UNITS = {
    **{unit.lower(): unit for unit in MOLAR_UNITS},
    **dict.fromkeys(("µm", "μm", "micromolar", "umol/l", "µmol/l", "μmol/l"), "uM"),
    **dict.fromkeys(("nanomolar", "nmol/l"), "nM"),
    **dict.fromkeys(("millimolar", "mmol/l"), "mM"),
    **dict.fromkeys(("picomolar", "pmol/l"), "pM"),
    **dict.fromkeys(("molar", "mol/l"), "M"),
    **dict.fromkeys(("pic50", "pec50", "pac50", "pki", "pkd", "pxc50", "pchembl"), LOG_UNIT),
    **dict.fromkeys(("%", "percent"), "%"),
    "": "",
}
_RELATIONS = {"": "=", "==": "=", "≥": ">=", "≤": "<=", "=>": ">=", "=<": "<=", "≈": "~"}
_RELATIONS |= {">>": ">", "<<": "<", "ca.": "~", "ca": "~"}
_RELATIONS |= {relation: relation for relation in ("=", "~", ">", ">=", "<", "<=")}

_NUMBER = r"[+-]?(?:[0-9]+(?:[.,][0-9]*)*|[.,][0-9]+)(?:e[+-]?[0-9]+)?"
_CELL = re.compile(
    rf"(?P<relation>[<>=~≥≤≈]{{0,2}}|ca\.?)\s*(?P<low>{_NUMBER})"
    rf"(?:\s*(?:-|to)\s*(?P<high>{_NUMBER}))?\s*(?P<unit>[a-zµμ%][a-z0-9/]*|%)?",
    re.IGNORECASE,
)
# Not before three digits, as in 1,500, unless only zero stands before it, as in 0,125.
_DECIMAL_COMMA = re.compile(
    r"[+-]?(?:[0-9]*,(?:[0-9]{1,2}|[0-9]{4,})|0?,[0-9]{3})(?:e[+-]?[0-9]+)?", re.IGNORECASE
)
_DASHES = str.maketrans("−–—‐‑", "-----")


_IN_HEADER = re.compile(r"[(\[]\s*([^)\]]+?)\s*[)\]]\s*$|[_ ,]([A-Za-zµμ]+)$")
# In `inhibition at 10 uM` the unit is that of the dose.
_DOSE = re.compile(r"(?:^|[_ ,@])[0-9.]+[_ ,][A-Za-zµμ]+$")


def unit_in_header(header: str) -> Unit:
    """The unit at the end of a column's name: `IC50 (nM)`, `Ki [µM]`, `ic50_nm`; else ""."""
    match = None if _DOSE.search(header) else _IN_HEADER.search(header)
    return _UNITS.get((match[1] or match[2]).lower(), "") if match else ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Where the true value lies: between `low` and `high`, ends included unless said to be open."""

    low: float
    high: float
    unit: Unit = ""
    open_low: bool = False
    open_high: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether it is one number and no bound or range."""
        return self.low == self.high

    def in_unit(self, unit: Unit) -> "Measurement":
        """The same concentration in another unit of MOLAR_UNITS."""
        if unit == self.unit:
            return self
        power = MOLAR_UNITS[self.unit] - MOLAR_UNITS[unit]
        # By whole powers of ten, so that 1000 nM is 1 uM and not a little more.
        up, down = 10.0 ** max(power, 0), 10.0 ** max(-power, 0)
        low, high = self.low * up / down, self.high * up / down
        return Measurement(low, high, unit, self.open_low, self.open_high)

    def is_active(self, threshold: float, active: Literal["above", "below"]) -> bool | None:
        """Whether it lies on the active side, the threshold itself included; None if undecidable.

        `> 10` against 1 is decided, `> 0.5` against 1 is not.
        """
        if active == "above":
            if self.low >= threshold:
                return True
            beyond = self.high < threshold or (self.high == threshold and self.open_high)
        else:
            if self.high <= threshold:
                return True
            beyond = self.low > threshold or (self.low == threshold and self.open_low)
        return False if beyond else None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A cell that says nothing about this compound."""

    reason: str
    is_missing: bool = False
    """Left open on purpose, and not something that was not understood."""


Reading = bool | Measurement | Unusable
"""A class (True is active), a measurement, or neither."""


def read_label(label: object) -> Reading:
    """What one label says: text by the grammar above, or a Python or NumPy bool or number."""
    if isinstance(label, np.generic | np.ndarray) and label.size == 1:
        label = label.item()
    if isinstance(label, bool):
        return label
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return Unusable("no label", is_missing=True)
    if isinstance(label, int | float):
        try:
            return _measurement("=", float(label), None, "")
        except OverflowError:  # an int that no float can hold
            return _measurement("=", math.inf, None, "")
    return _read_text(str(label))


def _read_text(text: str) -> Reading:
    plain = " ".join(text.translate(_DASHES).split())
    word = plain.lower()
    if word in MISSING_WORDS:
        return Unusable(f"no label: {shown(plain)}" if plain else "no label", is_missing=True)
    if word in ACTIVE_WORDS:
        return True
    if word in INACTIVE_WORDS:
        return False
    match = _CELL.fullmatch(plain)
    if match is None:
        return Unusable(f"{shown(plain)} is neither a class nor a number")
    relation = _RELATIONS.get(match["relation"].lower())
    unit = _UNITS.get((match["unit"] or "").lower())
    if relation is None:
        return Unusable(f"{shown(match['relation'])} is no relation; use = ~ < <= > >=")
    if unit is None:
        return Unusable(
            f"unit {shown(match['unit'])} is not known; use pM, nM, uM, mM, M, % or pIC50"
        )
    try:
        high = None if match["high"] is None else _number(match["high"])
        return _measurement(relation, _number(match["low"]), high, unit)
    except _Unclear as unclear:
        return Unusable(str(unclear))


class _Unclear(Exception):
    """A number that may mean two things."""


def _number(text: str) -> float:
    if "," in text:
        if _DECIMAL_COMMA.fullmatch(text) is None:
            raise _Unclear(
                f"the comma in {shown(text)} may part decimals or thousands; leave it out"
            )
        text = text.replace(",", ".")
    if text.count(".") > 1:
        raise _Unclear(f"{shown(text)} is no number: it has {text.count('.')} decimal points")
    return float(text)


def with_unit(reading: Reading, unit: Unit) -> Reading:
    """A measurement without a unit in that of its column; any other reading as it is."""
    if not isinstance(reading, Measurement) or reading.unit or not unit:
        return reading
    stated = reading.high if reading.low == -math.inf else reading.low
    if unit in MOLAR_UNITS and stated <= 0:
        return _not_above_zero(stated, unit)
    return replace(reading, unit=unit)


def _not_above_zero(value: float, unit: Unit) -> Unusable:
    return Unusable(f"a concentration is above zero, this is {value:g} {unit}")


def _measurement(relation: str, value: float, upper: float | None, unit: Unit) -> Reading:
    if not math.isfinite(value) or (upper is not None and not math.isfinite(upper)):
        return Unusable("the value is not finite")
    if unit in MOLAR_UNITS and value <= 0:
        return _not_above_zero(value, unit)
    if upper is not None:
        if relation not in "=~" or upper < value:
            return Unusable(f"a range goes from low to high, this from {value:g} to {upper:g}")
        return Measurement(value, upper, unit)
    if relation in "=~":
        return Measurement(value, value, unit)
    is_open = relation in "<>"
    if relation.startswith("<"):
        return Measurement(-math.inf, value, unit, open_high=is_open)
    return Measurement(value, math.inf, unit, open_low=is_open)
