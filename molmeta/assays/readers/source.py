"""A path or stdin to bytes and lines: unpacked, counted, and every failure told in a sentence."""

import errno
import gzip
import io
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from molmeta.errors import ConfigError, InputError

MAX_LINE = 1_000_000
"""Characters in one line: far above any molecule, far below what would fill the memory."""

_CHUNK = 65_536

# By their first bytes, whatever the name says: a workbook saved as .csv is still a workbook.
_NOT_TABLES = {
    b"pk\x03\x04": "a zip archive or an Excel workbook; save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"bzh": "a bzip2 archive; unpack it, or pack it with gzip or zstd",
    b"\xfd7zxz\0": "an xz archive; unpack it, or pack it with gzip or zstd",
    b"%pdf": "a PDF; export the table as CSV",
    b"<!doctype": "a web page, perhaps a login page saved instead of the data; download it again",
    b"<html": "a web page, perhaps a login page saved instead of the data; download it again",
}


class Readable(Protocol):
    """What is asked of an open file or of an unpacker."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; nothing at the end."""

    def close(self) -> None:
        """Give back what it holds."""


class ByteStream(io.BufferedIOBase):
    """Bytes that can be looked at before they are read, with a count and a cap.

    Args:
        raw: an open file or an unpacker.
        name: what to call it in an error.
        max_bytes: how many it may give.
        file: `raw`, where that is a regular file that can be sought.
        packed: what an unpacker reads from, closed together with it.
    """

    def __init__(
        self,
        raw: Readable,
        name: str,
        max_bytes: int | None,
        *,
        file: BinaryIO | None = None,
        packed: "ByteStream | None" = None,
    ) -> None:
        self.name = name
        self.position = 0
        """Bytes handed out so far."""
        self._raw = raw
        self._is_stdin = raw is sys.stdin.buffer
        self._packed = packed
        self._file = file
        self._spool: IO[bytes] | None = None
        self._version = None if file is None else _version(os.fstat(file.fileno()))
        self._max_bytes = max_bytes
        self._pulled = 0
        self._ahead = b""

    def readable(self) -> bool:
        """True: this is all it can do."""
        return True

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; they will be read again."""
        while len(self._ahead) < size and (chunk := self._pull(size - len(self._ahead))):
            self._ahead += chunk
        return self._ahead[:size]

    def read1(self, size: int | None = -1, /) -> bytes:
        """At least one byte, at most `size`; nothing at the end."""
        size = _CHUNK if size is None or size < 0 else size
        if self._ahead:
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            chunk = self._pull(size)
        self.position += len(chunk)
        return chunk

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly `size` bytes, fewer at the end; all that is left for -1."""
        wanted = sys.maxsize if size is None or size < 0 else size
        chunks: list[bytes] = []
        while wanted and (chunk := self.read1(min(wanted, _CHUNK))):
            chunks.append(chunk)
            wanted -= len(chunk)
        return b"".join(chunks)

    def rewound(self) -> IO[bytes]:
        """The whole content as a file that can be sought: on disk already, or spooled there."""
        if self._file is not None:
            self._file.seek(0)
            return self._file
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this stream)
        while chunk := self.read1():
            self._spool.write(chunk)
        self._spool.seek(0)
        return self._spool

    def share_read(self) -> float | None:
        """How much of the file was read, 0 to 1; None where its size is not known."""
        if self._packed is not None:
            return self._packed.share_read()
        if self._file is None:
            return None
        if self._file.closed:  # as decoders do at the end
            return 1.0
        return self._file.tell() / max(1, os.fstat(self._file.fileno()).st_size)

    def was_changed(self) -> bool:
        """Whether the file at this name is no longer the one that was opened."""
        if self._packed is not None:
            return self._packed.was_changed()
        if self._version is None:
            return False
        try:
            return _version(os.stat(self.name)) != self._version
        except OSError:
            return True

    def close(self) -> None:
        """Close what lies below, stdin excepted."""
        if not self._is_stdin:
            self._raw.close()
        if self._packed is not None:
            self._packed.close()
        if self._spool is not None:
            self._spool.close()
        super().close()

    def _pull(self, size: int) -> bytes:
        try:
            chunk = self._raw.read(size)
        except (EOFError, zlib.error, OSError) as error:
            told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise InputError(
                f"{self.name} is damaged or cut short after {self._pulled} bytes of its content "
                f"({told}); copy or download it again"
            ) from error
        self._pulled += len(chunk)
        if self._max_bytes is not None and self._pulled > self._max_bytes:
            raise InputError(
                f"{self.name} holds more than the {self._max_bytes} bytes allowed once unpacked; "
                "raise the limit if the file is what you meant"
            )
        return chunk


def open_source(
    path: Path | str, max_bytes: int | None = None, *, content: bytes | None = None
) -> ByteStream:
    """The content of a file or of stdin ("-"), unpacked if it is gzip or zstd.

    Args:
        path: the file; or what to call the `content`.
        max_bytes: a cap on what is handed out.
        content: the bytes of the file, where they are in memory.

    Raises:
        InputError: not there, not readable, a folder, empty, or not a table at all.
    """
    if content is not None:
        stream = ByteStream(io.BytesIO(content), str(path), max_bytes)
    elif path == "-":
        stream = ByteStream(sys.stdin.buffer, "stdin", max_bytes)
    else:
        raw = _open_file(path)
        is_regular = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
        stream = ByteStream(raw, str(path), max_bytes, file=raw if is_regular else None)
    try:
        return _checked(_unpacked(stream, max_bytes))
    except BaseException:
        stream.close()
        raise


def text_lines(stream: ByteStream, encoding: str | None) -> Iterator[str]:
    r"""Lines with their ends; `\n`, `\r\n` and `\r` all end one.

    Without `encoding`, a byte-order mark decides between UTF-8 and UTF-16, else it is UTF-8.

    Raises:
        InputError: bytes that the encoding does not have (with their place), or an endless line.
        ConfigError: an encoding that Python does not know.
    """
    encoding = encoding or _encoding_by_mark(stream.peek(3))
    try:
        reader = io.TextIOWrapper(stream, encoding=encoding, newline="")
    except LookupError:
        raise ConfigError(f"there is no text encoding called '{encoding}'") from None
    number = 0
    while True:
        number += 1
        try:
            line = reader.readline(MAX_LINE + 1)
        except UnicodeDecodeError as error:
            # The decoder has seen everything handed out, and error.object is the tail of that.
            offset = stream.position - len(error.object) + error.start
            raise InputError(
                f"{stream.name} is not {encoding} text: byte {offset} is 0x"
                f"{error.object[error.start]:02x}, in or after line {number}; state the encoding, "
                "often latin-1 or cp1252"
            ) from error
        except UnicodeError as error:
            raise InputError(f"{stream.name} is not {encoding} text: {error}") from error
        if not line:
            return
        if len(line) > MAX_LINE:
            raise InputError(
                f"{stream.name}: line {number} is longer than {MAX_LINE} characters; "
                "this is no table of molecules, or a line end is missing"
            )
        yield line


def _open_file(path: Path | str) -> BinaryIO:
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, "it is a folder; name a file in it")
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{path!r} cannot be read: {error}") from error


def _unpacked(stream: ByteStream, max_bytes: int | None) -> ByteStream:
    magic = stream.peek(4)
    if magic[:2] == b"\x1f\x8b":
        gz = gzip.GzipFile(fileobj=stream)
        return ByteStream(gz, stream.name, max_bytes, packed=stream)
    if magic == b"\x28\xb5\x2f\xfd":
        import pyarrow

        zst = pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, mode="r"), "zstd")
        return ByteStream(zst, stream.name, max_bytes, packed=stream)
    return stream


def _checked(stream: ByteStream) -> ByteStream:
    head = stream.peek(512)
    if not head:
        raise InputError(f"{stream.name} is empty: there are no rows in it")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, meaning in _NOT_TABLES.items():
        if start.startswith(magic):
            raise InputError(f"{stream.name} is not a table of molecules but {meaning}")
    return stream


def _encoding_by_mark(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-8-sig" if head[:3] == b"\xef\xbb\xbf" else "utf-8"


def _version(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
