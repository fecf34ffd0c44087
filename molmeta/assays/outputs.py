"""Rows to one file, whole under its name or not there: CSV, TSV, SMI, SDF, Parquet."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from molmeta.assays.readers.columns import SMILES_COLUMNS, known_column
from molmeta.assays.writers.delimited import DelimitedWriter
from molmeta.assays.writers.packed import PACKED, packed
from molmeta.assays.writers.parquet import ParquetWriter
from molmeta.assays.writers.row_writer import RowWriter, Sink
from molmeta.assays.writers.sdf import SdfWriter
from molmeta.assays.writers.smi import SmiWriter
from molmeta.errors import OutputError
from molmeta.whole_file import remove_left, sync_file, whole_file

FORMATS = ("csv", "tsv", "smi", "sdf", "parquet")


class Output:
    """An open output; gives the rows on, and tells what goes wrong with the disk in a sentence."""

    def __init__(self, writer: RowWriter, name: str) -> None:
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
            raise cannot_write(self._name, error) from error


@contextmanager
def open_output(
    path: Path | str,
    columns: Sequence[str],
    *,
    format: str | None = None,
    overwrite: bool = False,
    inputs: Sequence[Path | str] = (),
    numeric: Sequence[str] = (),
    smiles_column: str | None = None,
    escape_formulas: bool = False,
    companions: Mapping[Path, str] | None = None,
) -> Iterator[Output]:
    """A file, or stdout for "-", to write rows into; on any failure no file is left behind.

    Args:
        path: where to; a device or a pipe is written to as it is.
        columns: the header.
        format: one of `FORMATS`; without it told from the name, `.csv.gz` and `.csv.zst` too; CSV
            for stdout.
        overwrite: whether an existing file may be replaced, which happens at the very end.
        inputs: files being read, none of which may be the output.
        numeric: columns that Parquet holds as numbers; an empty cell is null.
        smiles_column: which column SMI puts first and SDF draws; without it a known header.
        escape_formulas: in CSV and TSV, put an apostrophe before each cell that a spreadsheet would
            run as a formula; else every cell is written as it is.
        companions: texts of files that belong to it, as the mapping is when all rows are written;
            they take their names right before it does, whatever is there.

    Raises:
        OutputError: on entering if the place cannot be written, later if the disk is full.
    """
    name = "stdout" if path == "-" else str(path)
    format = _checked_format(format, path)
    with _sink(path, overwrite, inputs, {} if companions is None else companions) as sink:
        with _told(name):
            packer = packed(sink, name)
            writer = _writer(
                format, packer or sink, columns, numeric, smiles_column, escape_formulas, name
            )
        try:
            yield Output(writer, name)
            with _told(name):
                writer.finish()
                writer.close()
                if packer is not None:
                    packer.close()
        finally:
            # After a failure they still hold bytes, which must not surface at some later moment.
            with suppress(Exception):
                writer.close()
            if packer is not None:
                with suppress(Exception):
                    packer.close()


def write_whole(
    path: Path | str, text: str, *, overwrite: bool = False, inputs: Sequence[Path | str] = ()
) -> None:
    """`text` in UTF-8 as one file, whole under its name or not there; stdout for "-".

    Args:
        path: where to.
        text: all of it.
        overwrite: whether an existing file may be replaced.
        inputs: files that were read, none of which may be the output.

    Raises:
        OutputError: it cannot be written.
    """
    with _sink(path, overwrite, inputs, {}) as sink, _told(path):
        sink.write(text.encode("utf-8"))


def _writer(
    format: str,
    sink: Sink,
    columns: Sequence[str],
    numeric: Sequence[str],
    smiles_column: str | None,
    escape_formulas: bool,
    name: str,
) -> RowWriter:
    if format == "parquet":
        return ParquetWriter(sink, columns, numeric)
    if format in ("csv", "tsv"):
        delimiter = "\t" if format == "tsv" else ","
        return DelimitedWriter(sink, columns, delimiter, escape_formulas=escape_formulas)
    place = (
        known_column(columns, SMILES_COLUMNS, name)
        if smiles_column is None
        else columns.index(smiles_column)
    )
    if place is None:
        raise OutputError(f"{name} needs a column of molecules, and none is called 'smiles'")
    writer = SmiWriter if format == "smi" else SdfWriter
    return writer(sink, columns, place)


@contextmanager
def _sink(
    path: Path | str,
    overwrite: bool,
    inputs: Sequence[Path | str],
    companions: Mapping[Path, str],
) -> Iterator[BinaryIO]:
    """The binary stream to write to; for a file, it takes its name when all went well."""
    if path == "-":
        yield sys.stdout.buffer
        with _told("stdout"):
            sys.stdout.buffer.flush()
        write_companions(companions, inputs)
        return
    with ExitStack() as stack:
        with _told(path):
            final = Path(path).resolve()
            is_device = final.exists() and not final.is_file() and not final.is_dir()
            if not is_device:
                remove_left(final)  # a kill right after it was finished leaves an empty folder
                check_place(path, overwrite=overwrite, inputs=inputs)
            place = final if is_device else stack.enter_context(whole_file(final))
            stream = place.open("wb")
        try:
            yield stream
            with _told(path):
                stream.flush() if is_device else sync_file(stream)
                stream.close()
                if not is_device:
                    check_place(path, overwrite=overwrite, inputs=inputs)
        finally:
            # After a failure it may hold bytes that the disk has no room for.
            with suppress(OSError):
                stream.close()
        write_companions(companions, inputs)
        with _told(path):
            stack.pop_all().close()


def write_companions(companions: Mapping[Path, str], inputs: Sequence[Path | str]) -> None:
    """Write the text at each path, whatever is there but `inputs`."""
    for path, text in companions.items():
        write_whole(path, text, overwrite=True, inputs=inputs)


def check_place(path: Path | str, *, overwrite: bool, inputs: Sequence[Path | str]) -> None:
    """Pass if a file may be written at `path`, as far as that can be told before.

    Raises:
        OutputError: there is something already, or no folder.
    """
    final = Path(path).resolve()
    if final.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if not final.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {final.parent}")
    if final.exists():
        if any(read != "-" and os.path.exists(read) and final.samefile(read) for read in inputs):
            raise OutputError(f"{path} is the file being read; write the result to another")
        if not overwrite:
            raise OutputError(f"{path} exists already; name another file, or allow overwriting it")


def _checked_format(format: str | None, path: Path | str) -> str:
    """The format asked for, else the one the name says.

    Raises:
        OutputError: it is none of `FORMATS`.
    """
    if format is None:
        suffixes = [end for suffix in Path(path).suffixes if (end := suffix.lower()) not in PACKED]
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
        raise cannot_write(name, error) from error


def cannot_write(name: Path | str, error: Exception) -> OutputError:
    """What the system says, in a sentence."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(f"{name} cannot be written: {told}")
