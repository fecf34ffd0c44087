"""A table of any size to an index: part by part, so that a stopped build goes on where it was."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Final, Protocol

import torch

from molmeta.assays.file_lock import take_lock
from molmeta.assays.outputs import open_output
from molmeta.assays.tables import Row
from molmeta.errors import ConfigError, InputError, OutputError
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

REJECTED: Final = "rejected.csv"
"""In the folder of an index: the rows that are no molecules, with their reasons."""


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
    progress: Callable[[int], object] | None = None,
) -> Manifest:
    """The index of `library` in `folder`, finished; a stopped build of it goes on.

    The finished index is the same byte for byte, however often it was stopped.

    Args:
        folder: of the index; made where there is none.
        library: its rows are streamed.
        learner: in evaluation mode; its encoder decides which models can use the index.
        append: add the rows to a finished index.
        workers: processes that read and encode.
        progress: called with the number of rows done since the last call.

    Raises:
        OutputError: the folder holds something else, is in use, or cannot be written.
        InputError: the library has no rows, is damaged, has other columns than the index or other
            rows than when the build was stopped; or the index is damaged.
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
        parts = []
        for part in _made(zip(paths, chain([first], chunks), strict=False), learner, workers):
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


_Task = tuple[Path, Sequence[Row]]
"""The file of a part, and its rows."""


def _made(tasks: Iterable[_Task], learner: HeadLearner, workers: int) -> Iterator[PartEntry]:
    """The parts in order, each made where it is not there yet."""
    if workers == 1:
        for path, rows in tasks:
            yield _part(path, rows, learner)
        return
    # Not fork: torch's threads may hold locks that a forked child would wait for.
    context = multiprocessing.get_context("spawn")
    pending: deque[Future[PartEntry]] = deque()
    with ProcessPoolExecutor(workers, context, _start_worker, (learner,)) as pool:
        try:
            for path, rows in tasks:
                pending.append(pool.submit(_part_in_worker, path, rows))
                # One more than is worked on, so that no worker waits for the table.
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise ConfigError(
                "A worker process died. The same command goes on where it was; with one worker it "
                "needs less memory."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


_learner: HeadLearner
"""Of a worker process."""


def _start_worker(learner: HeadLearner) -> None:
    global _learner
    _learner = learner
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that started this
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _part_in_worker(path: Path, rows: Sequence[Row]) -> PartEntry:
    return _part(path, rows, _learner)


def _part(path: Path, rows: Sequence[Row], learner: HeadLearner) -> PartEntry:
    """The part of `rows` at `path`, made or, from before, checked."""
    if not path.exists():
        write_content(path, make_content(rows, learner))
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
