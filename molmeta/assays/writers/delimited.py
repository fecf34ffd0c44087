"""CSV and TSV."""

import csv
from collections.abc import Sequence

from molmeta.assays.writers.row_writer import Sink, encoded


class DelimitedWriter:
    """CSV or TSV with the quotes of `csv`; a line feed ends a row.

    Args:
        sink: where the bytes go.
        columns: the header.
        delimiter: what parts the cells.
        escape_formulas: put an apostrophe before a cell that a spreadsheet would run as a formula.
    """

    def __init__(
        self, sink: Sink, columns: Sequence[str], delimiter: str, *, escape_formulas: bool
    ) -> None:
        text = _Text(sink)
        self._plain = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        # `csv` leaves a bare carriage return unquoted, and a reader would end the row there.
        self._quoting = csv.writer(
            text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )
        self._escape_formulas = escape_formulas
        self.write(columns)

    def write(self, cells: Sequence[str]) -> None:
        """Add one row."""
        if self._escape_formulas:
            cells = [f"'{cell}" if _is_formula(cell) else cell for cell in cells]
        has_return = any("\r" in cell for cell in cells)
        (self._quoting if has_return else self._plain).writerow(cells)

    def finish(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing ends the file."""


class _Text:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, text: str) -> None:
        self._sink.write(encoded(text))


def _is_formula(cell: str) -> bool:
    """Whether a spreadsheet would take the cell for one: what starts so and is no number."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False
