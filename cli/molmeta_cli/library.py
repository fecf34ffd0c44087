"""The compounds that a command reads, and the form of the rows that it writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from molmeta_cli.adaptation import files_read
from molmeta_cli.console import tell
from molmeta_cli.flags import LibraryFlags, TableFlags

if TYPE_CHECKING:
    from molmeta.assays.tables import Row, Table


@contextmanager
def open_library(path: str, flags: TableFlags, *, name: str = "Input") -> Iterator[Table]:
    """The table; what there is to note of it goes to stderr once it is read."""
    from molmeta.assays.tables import open_table

    with open_table(
        path,
        smiles_column=flags["smiles_column"],
        header=False if flags["no_header"] else None,
        encoding=flags["encoding"],
    ) as table:
        yield table
        for note in table.notes:
            tell(f"{name}: {note}", flags["quiet"])


@contextmanager
def open_rows(
    smiles: Sequence[str], path: str | None, flags: TableFlags
) -> Iterator[tuple[Sequence[str], str, Iterable[Row]]]:
    """The columns, which of them is the molecule, and the rows: of a file, or made of `smiles`."""
    from molmeta.assays.tables import Row

    if path is None:
        rows = [Row(i, text, (text,), None, i) for i, text in enumerate(smiles, 1)]
        yield ("smiles",), "smiles", rows
        return
    with open_library(path, flags) as table:
        yield table.columns, table.smiles_column, table


def rows_form(
    flags: LibraryFlags,
    names: Mapping[str, str],
    numeric: Sequence[str],
    *,
    smiles_column: str,
    input_path: str | None,
) -> dict[str, Any]:
    """What `open_output` is told of rows with appended columns.

    Args:
        flags: of the command.
        names: appended column -> what it is called.
        numeric: those that hold numbers, some of which may be missing.
        smiles_column: of the library.
        input_path: of the library, if it is a file.
    """
    return {
        "overwrite": flags["overwrite"],
        "inputs": files_read(flags, input_path),
        "numeric": [names[name] for name in numeric if name in names],
        "smiles_column": smiles_column,
        "escape_formulas": flags["escape_formulas"],
    }
