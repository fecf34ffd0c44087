"""Which column is meant: the one that was named, else one whose header is known."""

import difflib
from collections.abc import Sequence

from molmeta.errors import InputError

SMILES_COLUMNS = (
    "smiles",
    "canonical_smiles",
    "isomeric_smiles",
    "smiles_string",
    "smi",
    "structure",
    "molecule",
)
"""Headers taken for the molecules, the likeliest first; case and a leading # do not matter."""

LABEL_COLUMNS = (
    "label",
    "active",
    "is_active",
    "activity",
    "class",
    "outcome",
    "activity_outcome",
    "pubchem_activity_outcome",
    "y",
)
"""Headers taken for the labels of a support set, the likeliest first."""

VALUE_COLUMNS = ("value", "pic50", "pki", "pec50", "pchembl_value", "pchembl", "y", "label")
"""Headers taken for the values of a support set, the likeliest first."""


def named_column(columns: Sequence[str], wanted: str, source: str) -> int:
    """The place of the column called exactly `wanted`.

    Raises:
        InputError: there is none, or more than one.
    """
    if columns.count(wanted) == 1:
        return columns.index(wanted)
    if wanted in columns:
        raise InputError(
            f"{source} has {columns.count(wanted)} columns called '{wanted}'; rename one of them"
        )
    by_lower_case = {column.strip().lower(): column for column in columns}
    near = difflib.get_close_matches(wanted.strip().lower(), by_lower_case, n=1, cutoff=0.5)
    hint = f"did you mean '{by_lower_case[near[0]]}'? " if near else ""
    raise InputError(f"{source} has no column '{wanted}'; {hint}{listed(columns)}")


def known_column(columns: Sequence[str], known: Sequence[str], source: str) -> int | None:
    """The place of the column with the likeliest of the `known` headers, or None.

    Raises:
        InputError: two columns carry that same header.
    """
    plain = [_plain(column) for column in columns]
    for name in known:
        if plain.count(name) > 1:
            raise InputError(
                f"{source} has {plain.count(name)} columns called '{name}'; say which one is meant "
                "by its exact name, or rename one"
            )
        if name in plain:
            return plain.index(name)
    return None


def is_smiles_header(cell: str) -> bool:
    """Whether this cell is a header that announces SMILES."""
    return _plain(cell) in SMILES_COLUMNS


def listed(columns: Sequence[str], most: int = 20) -> str:
    """The columns as a phrase for an error."""
    names = ", ".join(f"'{column}'" for column in columns[:most])
    more = f" and {len(columns) - most} more" if len(columns) > most else ""
    return f"the columns are {names}{more}"


def _plain(column: str) -> str:
    return column.strip().lstrip("#").strip().lower().replace(" ", "_").replace("-", "_")
