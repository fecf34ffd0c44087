"""gzip and zstd over an open file, which stays open."""

import gzip
import io
from typing import Any

from molmeta.assays.writers.row_writer import Sink

PACKED = (".gz", ".zst")
"""Ends of a name that ask for packing."""


def packed(sink: Sink, name: str) -> Any:
    """A stream that packs into `sink` as the end of `name` says, or None if it says nothing.

    The same rows give the same bytes: no name and no time is in the header.
    """
    if name.lower().endswith(".gz"):
        return gzip.GzipFile("", "wb", 6, sink, mtime=0)  # type: ignore[call-overload]
    if name.lower().endswith(".zst"):
        import pyarrow

        return pyarrow.CompressedOutputStream(pyarrow.PythonFile(_KeptOpen(sink), "w"), "zstd")
    return None


class _KeptOpen(io.RawIOBase):
    """Passes on what is written, but not the wish to close: the file has yet to be flushed."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._sink.write(data)
