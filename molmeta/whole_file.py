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


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write the file; when the block ends well, it takes the name `path` in one move.

    Two processes may write the same file at once: the later one wins. What processes that were
    killed left of theirs is removed first.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the old file is kept.
    """
    remove_left(path)
    folder, lock = _locked_folder(path)
    try:
        unfinished = folder / path.name
        unfinished.touch()
        mode = unfinished.stat().st_mode
        yield unfinished
        # Some libraries write for the owner alone, whatever the umask says.
        unfinished.chmod(mode)
        with unfinished.open("rb+") as written:
            sync_file(written)
        unfinished.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
    # Only now: what a kill before that leaves, nobody removes who finds the file complete.
    sync_folder(path.parent)


def remove_left(path: Path) -> None:
    """Remove what killed processes left of their writing of `path`: what nobody holds."""
    for left in path.parent.glob(hidden_beside(path, "-*").name):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY)
            try:
                if take_lock(descriptor, unknown=False):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


def _locked_folder(path: Path) -> tuple[Path, int | None]:
    """A new folder beside `path`, and the descriptor that locks it while this process lives.

    The folder itself is locked: a file in it could be missing when a kill comes.
    """
    while True:
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=hidden_beside(path, "-").name))
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue  # Somebody took it for left before it could be locked.
        except PermissionError:
            return folder, None  # Windows opens no folders.
        take_lock(descriptor, wait=True)
        if folder.exists():
            return folder, descriptor
        os.close(descriptor)


def hidden_beside(final: Path, ending: str) -> Path:
    """A hidden name in the folder of `final` that nothing but its name decides."""
    # Not made from the name itself, which may already be as long as a name can be.
    digest = hashlib.sha256(os.fsencode(final.name)).hexdigest()[:16]
    return final.with_name(f".molmeta-{digest}{ending}")


def take_lock(file: BinaryIO | int, *, wait: bool = False, unknown: bool = True) -> bool:
    """Hold `file` until it is closed or its process ends; False where another process holds it.

    Args:
        file: open, or the descriptor of a folder.
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
