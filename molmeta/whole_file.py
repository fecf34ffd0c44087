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
    # Not made from the name itself, which may already be as long as a name can be.
    prefix = f".molmeta-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"
    _remove_left(path.parent, prefix)
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix) as folder,
        (Path(folder) / _LOCK).open("xb") as lock,
    ):
        _take(lock, wait=True)
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
            os.fsync(written.fileno())
        unfinished.replace(path)


def _remove_left(folder: Path, prefix: str) -> None:
    for left in folder.glob(f"{prefix}*"):
        with suppress(OSError), (left / _LOCK).open("rb") as lock:
            if lock.read() and _take(lock, wait=False):
                shutil.rmtree(left, ignore_errors=True)


def _take(lock: BinaryIO, *, wait: bool) -> bool:
    """Hold `lock` until it is closed or its process ends; False if that cannot be had."""
    try:
        import fcntl
    except ImportError:  # Windows: what a killed process left stays there
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another one holds it, or a network folder that knows no locks
        return False
    return True
