"""A table of any size to an index: part by part, so that a stopped build goes on where it was."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Final, Protocol

from molmeta.assays.outputs import open_output
from molmeta.assays.tables import Row
from molmeta.errors import InputError, OutputError
from molmeta.index.encoding import EncoderPool, encode
from molmeta.index.manifest import (
    BUILDING,
    INDEX,
    Manifest,
    PartEntry,
    new_manifest,
    part_path,
    read_manifest,
    write_manifest,
)
from molmeta.index.part import (
    ROWS,
    make_content,
    read_note,
    read_part,
    read_records,
    rows_sha256,
    write_content,
)
from molmeta.learners.base import HeadLearner
from molmeta.screening.columns import free_names
from molmeta.screening.pool import TIMEOUT
from molmeta.whole_file import take_lock

REJECTED: Final = "rejected.csv"
"""In the folder of an index: the rows that are no molecules, with their reasons."""


_CHUNK: Final = 2_048
"""Rows that a process encodes in one go."""


class Library(Protocol):
    """Rows with named cells: a Table."""

    source: str
    columns: tuple[str, ...]
    smiles_column: str

    def __iter__(self) -> Iterator[Row]:
        """The rows, once."""


def build_index(
    folder: Path,
    library: Library,
    learner: HeadLearner,
    *,
    append: bool = False,
    workers: int = 1,
    timeout: float = TIMEOUT,
    progress: Callable[[int], object] | None = None,
) -> Manifest:
    """The index of `library` in `folder`, finished; a stopped build of it goes on.

    The finished index is the same byte for byte, however often it was stopped.

    Args:
        folder: of the index; made where there is none.
        library: its rows are streamed.
        learner: in evaluation mode; its encoder decides which models can use the index.
        append: add the rows to a finished index.
        workers: processes that read and encode; of 2 or more, a row that ends one or hangs is
            rejected as `worker_crash` or `timeout`.
        timeout: seconds that a row alone may take, with several workers.
        progress: called with the number of rows done since the last call.

    Raises:
        OutputError: the folder holds something else, is in use, or cannot be written.
        InputError: the library has no rows, is damaged, has other columns than the index or other
            rows than when the build was stopped; or the index is damaged.
        ConfigError: several processes cannot be started, or the learner is on a GPU.
    """
    rows = iter(library)
    chunks = iter(lambda: list(islice(rows, ROWS)), [])
    first = next(chunks, [])
    if not first:
        raise InputError(f"{library.source} has no rows: there is nothing to index.")
    with ExitStack() as stack:
        start = _begin(folder, library, learner, append, stack)
        if rows_sha256(first) in {part.rows_sha256 for part in start.parts}:
            raise InputError(
                f"The first {len(first):,} rows of {library.source} are in {folder} already; "
                "append new rows alone."
            )
        paths = (part_path(folder, number) for number in count(len(start.parts)))
        pool = None
        if workers > 1:
            pool = stack.enter_context(EncoderPool(learner, workers, timeout=timeout))
        parts = []
        for part in _made(zip(paths, chain([first], chunks), strict=False), learner, pool):
            parts.append(part)
            if progress is not None:
                progress(part.n_rows)
        manifest = replace(start, parts=(*start.parts, *parts))
        _write_rejected(folder, manifest)
        write_manifest(folder / INDEX, manifest)
        (folder / BUILDING).unlink()
    return manifest


def _begin(
    folder: Path, library: Library, learner: HeadLearner, append: bool, stack: ExitStack
) -> Manifest:
    """What is finished before this build, which holds the folder until `stack` is left."""
    index, building = folder / INDEX, folder / BUILDING
    start = new_manifest(learner, library.columns, library.smiles_column)
    if append:
        if not index.is_file():
            raise OutputError(f"{folder} is no finished index, to which rows could be appended.")
        start = _extended(folder, start)
    elif index.exists():
        raise OutputError(
            f"{folder} is a finished index already; append rows to it, or name another folder."
        )
    if building.is_file() and len(read_manifest(building).parts) < len(start.parts):
        building.unlink()  # stopped right after it had finished
    try:
        if not building.exists():
            folder.mkdir(exist_ok=True)
            if not append and any(not path.name.startswith(".") for path in folder.iterdir()):
                raise OutputError(f"{folder} holds something else; name a new folder.")
            write_manifest(building, start)
        lock = stack.enter_context(building.open("rb+"))
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}.") from error
    if not take_lock(lock):
        raise OutputError(f"{folder} is being built by another molmeta; wait until it has ended.")
    if read_manifest(building) != start:
        raise OutputError(
            f"{folder} was begun with another model, or with a library of other columns: give that "
            "command again to finish it, or name a new folder."
        )
    return start


def _extended(folder: Path, fresh: Manifest) -> Manifest:
    """The manifest of the finished index, to which rows fit that would start with `fresh`."""
    manifest = read_manifest(folder / INDEX)
    if manifest.columns != fresh.columns or manifest.smiles_column != fresh.smiles_column:
        raise InputError(
            f"{folder} has rows of the columns {', '.join(manifest.columns)}, and these have "
            f"{', '.join(fresh.columns)}: they must be the same."
        )
    if replace(manifest, parts=()) != fresh:
        raise InputError(
            f"{folder} was made with another encoder: append with the model that made it."
        )
    for number, entry in enumerate(manifest.parts):
        if _file_sha256(part_path(folder, number)) != entry.sha256:
            raise InputError(f"{part_path(folder, number)} is damaged; build the index again.")
    return manifest


def _made(
    tasks: Iterable[tuple[Path, Sequence[Row]]], learner: HeadLearner, pool: EncoderPool | None
) -> Iterator[PartEntry]:
    """The parts of these rows at these paths in order, each made where it is not there yet."""
    read: deque[tuple[Path, Sequence[Row], int]] = deque()

    def chunks() -> Iterator[Sequence[Row]]:
        for path, rows in tasks:
            missing = () if path.exists() else rows
            starts = range(0, max(1, len(missing)), _CHUNK)
            read.append((path, rows, len(starts)))
            yield from (missing[start : start + _CHUNK] for start in starts)

    in_process = partial(encode, learner=learner)
    encoded = map(in_process, chunks()) if pool is None else pool.answers(chunks())
    for first in encoded:
        path, rows, n_chunks = read.popleft()
        others = islice(encoded, n_chunks - 1)
        if all_of_them := [*first, *chain.from_iterable(others)]:
            write_content(path, make_content(rows, all_of_them, learner))
        yield _checked(path, rows, learner)


def _checked(path: Path, rows: Sequence[Row], learner: HeadLearner) -> PartEntry:
    """The part of `rows` at `path`, which may be there from before."""
    note = read_note(path)
    if note.rows_sha256 != rows_sha256(rows):
        raise InputError(
            f"The library is not the one that the build was begun with: {path} is of other rows. "
            "Give that one again; or remove this file and those after it, to go on with this one."
        )
    read_part(path, note.n_molecules, note.n_rows, learner.encoder.dim)
    read_records(path, note.n_rows)
    return PartEntry(**asdict(note), n_bytes=path.stat().st_size, sha256=_file_sha256(path))


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _write_rejected(folder: Path, manifest: Manifest) -> None:
    """Write the rows that are no molecules, with what the intake said of them, if there are any."""
    if manifest.n_molecules == manifest.n_rows:
        return
    names = free_names(manifest.columns, ("row", "status", "reason"))
    with open_output(
        folder / REJECTED, (*manifest.columns, *names.values()), overwrite=True
    ) as out:
        for number, (entry, start) in enumerate(zip(manifest.parts, manifest.starts, strict=True)):
            path = part_path(folder, number)
            part = read_part(path, entry.n_molecules, entry.n_rows, manifest.dim)
            records = read_records(path, entry.n_rows)
            for place in sorted(set(range(entry.n_rows)).difference(part.places.tolist())):
                status, reason, cells = records.at(place, len(manifest.columns))
                out.write((*cells, str(start + place + 1), status, reason))
