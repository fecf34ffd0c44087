"""The columns that scoring appends: what they are called, and their cells."""

from collections.abc import Sequence
from typing import Final

from molmeta.scores import ScoredRow

_ABOUT_MOLECULES: Final = ("deviation", "similarity", "in_support", "known", "status", "reason")

APPENDED: Final = ("probability", "low", "high", *_ABOUT_MOLECULES)
"""Columns that follow the input's own; with `top`, "rank" comes before them."""

APPENDED_VALUES: Final = ("value", "low", "high", *_ABOUT_MOLECULES)
"""The same where values are predicted."""

NUMERIC: Final = ("rank", "probability", "value", "low", "high", "deviation", "similarity")
"""The appended columns that hold numbers or nothing."""

PREFIX: Final = "molmeta_"
"""Put before an appended column whose name the input has already."""


def appended_columns(
    columns: Sequence[str], *, ranked: bool, values: bool = False
) -> dict[str, str]:
    """Name of each appended column -> what it is called next to the input's `columns`.

    Args:
        columns: of the input.
        ranked: whether there is a rank, as with `top`.
        values: whether values are predicted.
    """
    appended = APPENDED_VALUES if values else APPENDED
    return free_names(columns, (*(("rank",) if ranked else ()), *appended))


def free_names(columns: Sequence[str], appended: Sequence[str]) -> dict[str, str]:
    """Name of each appended column -> the same, or with prefixes where the input has it already."""
    taken = set(columns)
    names = {}
    for name in appended:
        free = name
        while free in taken:
            free = PREFIX + free
        names[name] = free
        taken.add(free)
    return names


def appended_cells(row: ScoredRow, *, values: bool) -> tuple[str, ...]:
    """The cells of the appended columns, without a rank; what is not known is an empty cell."""
    answer = row.value if values else row.probability
    return (
        *map(_number, (answer, row.low, row.high, row.deviation, row.similarity)),
        "true" if row.in_support else "",
        "true" if row.seen else "",
        row.status,
        row.reason,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
