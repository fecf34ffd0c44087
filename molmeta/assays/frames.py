"""One column out of whatever Python users hold it in: lists, arrays, Series and data frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from molmeta.assays.readers.columns import SMILES_COLUMNS, known_column, listed
from molmeta.errors import InputError

_MOLECULE_COLUMNS: Final = (*SMILES_COLUMNS, "rdkit_mol", "romol", "mol")
"""Headers taken for the molecules: RDKit's PandasTools writes ROMol."""


def molecules_in(data: Iterable[object]) -> list[object]:
    """The molecules [n] of a list, an array, a Series, or a data frame, in order.

    Args:
        data: pandas, polars and pyarrow count as frames. Of several columns the one whose header
            says SMILES, or mol, is taken, as in a file.

    Raises:
        InputError: a single text, an array of several columns, or a frame in which no column can
            be told to hold the molecules.
    """
    return _one_column(data, _MOLECULE_COLUMNS, "molecules")


def labels_in(data: Iterable[object]) -> list[object]:
    """The labels or values [n] of a list, an array, a Series, or a frame of one column, in order.

    Raises:
        InputError: a single text, or several columns.
    """
    return _one_column(data, (), "labels")


def _one_column(data: Any, known: Sequence[str], what: str) -> list[object]:
    columns = _columns(data)
    if columns is not None:
        place = 0 if len(columns) == 1 else known_column(columns, known, "The frame")
        if place is None:
            raise InputError(
                f"The frame has {len(columns)} columns, and none is known to hold the {what}; "
                f"pass the one that does: {listed(columns)}."
            )
        return _elements(data.iloc[:, place] if hasattr(data, "iloc") else data[columns[place]])
    if not isinstance(data, Iterable):
        # Whatever NumPy takes for an array; a lone molecule or number becomes one of no dimension.
        data = np.asarray(data, dtype=object)
    shape: tuple[int, ...] = getattr(data, "shape", (1,))
    if isinstance(data, str | bytes) or not shape:
        raise InputError(f"Give a list of {what}, even for a single one: ['CCO'], [1].")
    if len(shape) > 1 and shape[1:] != (1,):
        raise InputError(
            f"Molecules and labels come in one column each, not in an array of shape {shape}."
        )
    return _elements(data if len(shape) == 1 else data[:, 0])


def _columns(data: Any) -> list[str] | None:
    """The headers of a data frame of any library; None for what is no frame."""
    # None of these libraries is imported: whoever has a frame has its library.
    names = getattr(data, "column_names", None)
    if names is None:
        names = getattr(data, "columns", None)
    return None if names is None or callable(names) else [str(name) for name in names]


def _elements(column: Any) -> list[object]:
    """Its values as Python objects; iterating over pyarrow's columns gives scalars of its own."""
    return list(column.to_pylist() if hasattr(column, "to_pylist") else column)
