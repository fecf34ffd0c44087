"""A file that appears under its name whole or not at all, whenever its writer is killed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_LOCK = ".molmeta-lock"
"""In the folder of a file that is being written; locked while its writer lives."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write the file; when the block ends well, it takes the name `path` in one move.

    Two processes may write the same file at once: the later one wins. What processes that were
    killed left of theirs is removed first.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the old file is kept.
    """
    remove_left(path)
    prefix = hidden_beside(path, "-").name
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix) as folder,
        (Path(folder) / _LOCK).open("xb") as lock,
    ):
        take_lock(lock, wait=True)
        # Only now, so that nobody takes it for left before its owner could lock it.
        lock.write(b"locked")
        lock.flush()
        unfinished = Path(folder) / path.name
        unfinished.touch()
        mode = unfinished.stat().st_mode
        yield unfinished
        # Some libraries write for the owner alone, whatever the umask says.
        unfinished.chmod(mode)
        with unfinished.open("rb+") as written:
            sync_file(written)
        unfinished.replace(path)
    # Only now: what a kill before that leaves, nobody removes who finds the file complete.
    sync_folder(path.parent)


def remove_left(path: Path) -> None:
    """Remove what killed processes left of their writing of `path`: what nobody holds."""
    for left in path.parent.glob(hidden_beside(path, "-*").name):
        with suppress(OSError), (left / _LOCK).open("rb") as lock:
            if lock.read() and take_lock(lock, unknown=False):
                shutil.rmtree(left, ignore_errors=True)


def hidden_beside(final: Path, ending: str) -> Path:
    """A hidden name in the folder of `final` that nothing but its name decides."""
    # Not made from the name itself, which may already be as long as a name can be.
    digest = hashlib.sha256(os.fsencode(final.name)).hexdigest()[:16]
    return final.with_name(f".molmeta-{digest}{ending}")


def take_lock(file: BinaryIO, *, wait: bool = False, unknown: bool = True) -> bool:
    """Hold `file` until it is closed or its process ends; False where another process holds it.

    Args:
        file: open.
        wait: until the other one lets go.
        unknown: the answer where there are no locks: on Windows, in some network folders.
    """
    try:
        import fcntl
    except ImportError:
        return unknown
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True


def sync_file(file: BinaryIO) -> None:
    """Bring what was written to the disk, so that it lasts through a power cut."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a new name last through a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
