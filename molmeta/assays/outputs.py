"""Rows to one file that is either whole under its name or not there: CSV, TSV, Parquet.

A file is written under a temporary name in its own folder, flushed to the disk, and renamed last.
"""

import csv
import gzip
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from molmeta.errors import OutputError

FORMATS = ("csv", "tsv", "parquet")
_PARQUET_ROWS = 10_000


class _RowWriter(Protocol):
    """One format: rows in, bytes out."""

    def write(self, cells: Sequence[str]) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


class Output:
    """An open output; gives the rows on, and tells what goes wrong with the disk in a sentence."""

    def __init__(self, writer: _RowWriter, name: str) -> None:
        self._writer = writer
        self._name = name

    def write(self, cells: Sequence[str]) -> None:
        """Add one row, a cell of text for each column.

        Raises:
            OutputError: the disk is full, or the like.
        """
        try:
            self._writer.write(cells)
        except BrokenPipeError:  # the reader of a pipe has had enough: no fault of the output
            raise
        except OSError as error:
            raise _cannot(self._name, error) from error


@contextmanager
def open_output(
    path: Path | str,
    columns: Sequence[str],
    *,
    format: str | None = None,
    overwrite: bool = False,
    inputs: Sequence[Path | str] = (),
    numeric: Sequence[str] = (),
) -> Iterator[Output]:
    """A file, or stdout for "-", to write rows into; on any failure no file is left behind.

    Args:
        path: where to; a device or a pipe is written to as it is.
        columns: the header.
        format: one of `FORMATS`; without it told from the name, `.csv.gz` too; CSV for stdout.
        overwrite: whether an existing file may be replaced, which happens at the very end.
        inputs: files being read, none of which may be the output.
        numeric: columns that Parquet holds as numbers; an empty cell is null.

    Raises:
        OutputError: on entering if the place cannot be written, later if the disk is full.
    """
    name = "stdout" if path == "-" else str(path)
    is_packed = name.lower().endswith(".gz")
    format = _checked_format(format, path)
    with _sink(path, overwrite, inputs) as sink:
        # No name and no time in the header: the same rows give the same bytes.
        stream: Any = gzip.GzipFile("", "wb", 6, sink, mtime=0) if is_packed else sink
        with _told(name):
            writer = _writer(format, stream, columns, numeric)
        try:
            yield Output(writer, name)
            with _told(name):
                writer.finish()
                writer.close()
                if is_packed:
                    stream.close()
        finally:
            # After a failure they still hold bytes, which must not surface at some later moment.
            with suppress(Exception):
                writer.close()
            if is_packed:
                with suppress(Exception):
                    stream.close()


class _Encoded:
    """Text to the UTF-8 bytes of a stream, whatever the locale; a lone surrogate is escaped."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(_encoded(text))


class _Delimited:
    """CSV or TSV with the quotes of `csv`; a line feed ends a row."""

    def __init__(self, stream: Any, columns: Sequence[str], delimiter: str) -> None:
        text = _Encoded(stream)
        self._plain = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        # `csv` leaves a bare carriage return unquoted, and a reader would end the row there.
        self._quoting = csv.writer(
            text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )
        self.write(columns)

    def write(self, cells: Sequence[str]) -> None:
        has_return = any("\r" in cell for cell in cells)
        (self._quoting if has_return else self._plain).writerow(cells)

    def finish(self) -> None: ...

    def close(self) -> None: ...


class _Parquet:
    """Parquet, by groups of rows."""

    def __init__(self, stream: Any, columns: Sequence[str], numeric: Sequence[str]) -> None:
        import pyarrow
        from pyarrow import parquet

        self._schema = pyarrow.schema(
            (column, pyarrow.float64() if column in numeric else pyarrow.string())
            for column in columns
        )
        self._file = parquet.ParquetWriter(stream, self._schema)
        self._held: list[tuple[str, ...]] = []

    def write(self, cells: Sequence[str]) -> None:
        self._held.append(tuple(cells))
        if len(self._held) == _PARQUET_ROWS:
            self.finish()

    def finish(self) -> None:
        import pyarrow

        if not self._held:
            return
        arrays = [
            pyarrow.array(
                [float(cell) if cell else None for cell in cells]
                if pyarrow.types.is_floating(field.type)
                else [_encoded(cell).decode() for cell in cells],
                field.type,
            )
            for field, cells in zip(self._schema, zip(*self._held, strict=True), strict=True)
        ]
        self._file.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._held.clear()

    def close(self) -> None:
        self._file.close()


def _writer(format: str, stream: Any, columns: Sequence[str], numeric: Sequence[str]) -> _RowWriter:
    if format == "parquet":
        return _Parquet(stream, columns, numeric)
    return _Delimited(stream, columns, "\t" if format == "tsv" else ",")


@contextmanager
def _sink(path: Path | str, overwrite: bool, inputs: Sequence[Path | str]) -> Iterator[BinaryIO]:
    """The binary stream to write to; for a file, it takes its name when all went well."""
    if path == "-":
        yield sys.stdout.buffer
        with _told("stdout"):
            sys.stdout.buffer.flush()
        return
    with _told(path):
        final = Path(path).resolve()
        is_device = final.exists() and not final.is_file() and not final.is_dir()
        if not is_device:
            _check_place(final, path, overwrite, inputs)
        # Not derived from the name, which may already be as long as a name can be.
        partial = final if is_device else final.parent / f".molmeta-{secrets.token_hex(8)}.partial"
        stream = partial.open("wb" if is_device else "xb")
    try:
        yield stream
        with _told(path):
            stream.flush()
            if not is_device:
                os.fsync(stream.fileno())
            stream.close()
            if not is_device:
                _check_place(final, path, overwrite, inputs)
                partial.replace(final)
                sync_folder(final.parent)
    finally:
        # After a success both do nothing; after a failure the file is a part, and is removed.
        with suppress(OSError):
            stream.close()
        if not is_device:
            partial.unlink(missing_ok=True)


def _check_place(
    final: Path, path: Path | str, overwrite: bool, inputs: Sequence[Path | str]
) -> None:
    if final.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if not final.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {final.parent}")
    if final.exists():
        if any(read != "-" and os.path.exists(read) and final.samefile(read) for read in inputs):
            raise OutputError(f"{path} is the file being read; write the result to another")
        if not overwrite:
            raise OutputError(f"{path} exists already; name another file, or allow overwriting it")


def sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _checked_format(format: str | None, path: Path | str) -> str:
    """The format asked for, else the one the name says.

    Raises:
        OutputError: it is none of `FORMATS`.
    """
    if format is None:
        suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
        format = suffixes[-1].lstrip(".") if suffixes else "csv"
    if format not in FORMATS:
        raise OutputError(
            f"{path}: molmeta writes no '{format}' files; use one of {', '.join(FORMATS)}"
        )
    return format


@contextmanager
def _told(name: Path | str) -> Iterator[None]:
    """Turn what the system says into an OutputError."""
    try:
        yield
    except (BrokenPipeError, OutputError):
        raise
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
        raise _cannot(name, error) from error


def _cannot(name: Path | str, error: Exception) -> OutputError:
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(f"{name} cannot be written: {told}")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
