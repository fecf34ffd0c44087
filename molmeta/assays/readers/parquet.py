"""Parquet: record batches turned into text, as a CSV of the same table would hold it."""

from collections.abc import Iterator
from typing import Any

from molmeta.assays.readers.records import Record, Records, damaged
from molmeta.assays.readers.source import ByteStream
from molmeta.errors import InputError

MAGIC = b"PAR1"
_BATCH = 4_096


def read_parquet(stream: ByteStream) -> Records:
    """Columns and records of a Parquet file, by batches of rows.

    Raises:
        InputError: the file is damaged or cut short.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(stream.rewound())
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{stream.name} is damaged Parquet: {error}") from error
    return Records(
        "parquet",
        tuple(file.schema_arrow.names),
        _records(file, stream.name),
        n_records=file.metadata.num_rows,
    )


def _records(file: Any, source: str) -> Iterator[Record]:
    import pyarrow

    number = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH):
            for cells in zip(*map(_texts, batch.columns), strict=True):
                number += 1
                has_nul = any("\0" in cell for cell in cells)
                problem = damaged(f"row {number}: a cell holds a NUL byte") if has_nul else None
                yield Record(number, cells, problem)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{source} is damaged Parquet after row {number}: {error}") from error


def _texts(column: Any) -> list[str]:
    """One column of a batch as text; a null is an empty cell."""
    import pyarrow

    try:
        values = column.cast(pyarrow.string()).to_pylist()
    except pyarrow.ArrowException:  # lists, structs and bytes have no text of Arrow's own
        values = [None if value is None else str(value) for value in column.to_pylist()]
    return ["" if value is None else value for value in values]
