"""What a stopped run has scored already, so that the same command goes on where it was.

Beside the output lies a hidden file to which each scored chunk is added and brought to the disk. A
run that finds it reads the input and writes the output from the start, but takes what it finds
there instead of computing it. So the finished file is the same byte for byte, whatever its format;
and reading and writing take a small part of the time that scoring takes.

The file starts with what decides the scores (the model and the support, above all). A record holds
a hash of its chunk's texts before their scores: an input that was changed is scored anew from the
first change on. The first record that is not whole ends the file.
"""

import hashlib
import json
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from molmeta.assays.outputs import cannot_write
from molmeta.chem.status import Status
from molmeta.errors import OutputError
from molmeta.scores import ScoredRow
from molmeta.screening.library import ScoreChunks
from molmeta.screening.provenance import origin
from molmeta.target import TargetModel
from molmeta.whole_file import hidden_beside, sync_file, sync_folder, take_lock

_MAGIC: Final = b"molmeta journal 1\n"
_FRAME: Final = struct.Struct("<II")
"""Bytes of a record, and their CRC-32."""

_FIELDS: Final = tuple(one.name for one in fields(ScoredRow) if one.name != "smiles")
_cells_of = attrgetter(*_FIELDS)


class Journal:
    """The scored chunks of one unfinished output; a context manager that closes the file.

    A table of a single chunk gets no file: it is scored again in no time.

    Args:
        output: the file that is being written.
        target: who scores.
        overwrite: whether what another command left there may go.

    Raises:
        OutputError: another command left an unfinished run there, or is writing there now.
    """

    def __init__(self, output: Path, target: TargetModel, *, overwrite: bool = False) -> None:
        self._output = output
        self._path = hidden_beside(output.resolve(), ".journal")
        key = json.dumps(origin(target), sort_keys=True)
        self._head = _MAGIC + hashlib.sha256(key.encode()).digest()
        self._held = b""
        """The first record, until there is a second."""
        self._file = self._found(overwrite)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def holds_rows(self) -> bool:
        """Whether a run that starts now would find something."""
        return self._file is not None

    def remove(self) -> None:
        """Forget everything: the output is complete."""
        with suppress(OSError):
            self._path.unlink()

    def over(self, score_chunks: ScoreChunks) -> ScoreChunks:
        """What is kept, then what `score_chunks` gives, which is kept too."""

        def score(chunks: Iterable[Sequence[str]]) -> Iterator[list[ScoredRow]]:
            chunks = iter(chunks)
            for texts in chunks:
                rows = self._kept(texts)
                if rows is None:
                    chunks = chain([texts], chunks)
                    break
                yield rows
            digests: deque[str] = deque()

            def read() -> Iterator[Sequence[str]]:
                for texts in chunks:
                    digests.append(_digest(texts))
                    yield texts

            for rows in score_chunks(read()):
                self._keep(digests.popleft(), rows)
                yield rows

        return score

    def _found(self, overwrite: bool) -> BinaryIO | None:
        """The file of an earlier run of this command, at its first record."""
        try:
            file = self._path.open("r+b")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise cannot_write(self._output, error) from error
        try:
            self._lock(file)
            head = file.read(len(self._head))
            if head == self._head:
                return file
            if head.startswith(_MAGIC) and len(head) == len(self._head) and not overwrite:
                raise OutputError(
                    f"{self._output} was begun by another command (another model, support or "
                    "version of molmeta), which can still be finished by giving that command "
                    "again; name another file, or allow overwriting to begin anew"
                )
            self._path.unlink()
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def _lock(self, file: BinaryIO) -> None:
        if not take_lock(file):
            raise OutputError(
                f"{self._output} is being written by another molmeta; wait until it has ended, or "
                "name another file"
            )

    def _kept(self, texts: Sequence[str]) -> list[ScoredRow] | None:
        """The rows of the next record if it is that of `texts`; if not, it and the rest go."""
        if self._file is None:
            return None
        place = self._file.tell()
        digest, rows = self._record()
        if digest == _digest(texts):
            return [
                ScoredRow(**dict(zip(_FIELDS, (Status(status), *cells), strict=True)))
                for status, *cells in rows
            ]
        self._file.seek(place)
        self._file.truncate()
        return None

    def _record(self) -> tuple[str, list[list[Any]]]:
        """Digest and rows of the next record; '' and nothing where it is not whole."""
        assert self._file is not None
        frame = self._file.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return "", []
        size, checksum = _FRAME.unpack(frame)
        packed = self._file.read(size)
        if len(packed) < size or zlib.crc32(packed) != checksum:
            return "", []
        digest, rows = json.loads(zlib.decompress(packed))
        return digest, rows

    def _keep(self, digest: str, rows: Sequence[ScoredRow]) -> None:
        record = json.dumps([digest, [_cells_of(row) for row in rows]], separators=(",", ":"))
        packed = zlib.compress(record.encode(), 1)
        framed = _FRAME.pack(len(packed), zlib.crc32(packed)) + packed
        if self._file is None and not self._held:
            self._held = framed
            return
        try:
            if self._file is None:
                self._file = self._path.open("x+b")
                self._lock(self._file)
                framed = self._head + self._held + framed
                sync_folder(self._path.parent)
            self._file.write(framed)
            sync_file(self._file)
        except FileExistsError:
            raise OutputError(f"{self._output} is being written by another molmeta") from None
        except OSError as error:
            raise cannot_write(self._output, error) from error


def _digest(texts: Sequence[str]) -> str:
    return hashlib.blake2b(json.dumps(texts).encode(), digest_size=16).hexdigest()
