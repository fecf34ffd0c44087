"""Parquet, by groups of rows."""

from collections.abc import Sequence
from typing import Any

from molmeta.assays.writers.row_writer import Sink, encoded

_GROUP = 10_000


class ParquetWriter:
    """Columns of text, and of numbers where told.

    Args:
        sink: where the bytes go.
        columns: their names.
        numeric: those that hold numbers; an empty cell is null.
    """

    def __init__(self, sink: Sink, columns: Sequence[str], numeric: Sequence[str]) -> None:
        import pyarrow
        from pyarrow import parquet

        self._schema = pyarrow.schema(
            (column, pyarrow.float64() if column in numeric else pyarrow.string())
            for column in columns
        )
        self._file: Any = parquet.ParquetWriter(sink, self._schema)
        self._held: list[tuple[str, ...]] = []

    def write(self, cells: Sequence[str]) -> None:
        """Add one row."""
        self._held.append(tuple(cells))
        if len(self._held) == _GROUP:
            self.finish()

    def finish(self) -> None:
        """Write the rows that are held back as a group."""
        import pyarrow

        if not self._held:
            return
        arrays = [
            pyarrow.array(
                [float(cell) if cell else None for cell in cells]
                if pyarrow.types.is_floating(field.type)
                else [encoded(cell).decode() for cell in cells],
                field.type,
            )
            for field, cells in zip(self._schema, zip(*self._held, strict=True), strict=True)
        ]
        self._file.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._held.clear()

    def close(self) -> None:
        """Write the footer."""
        self._file.close()
