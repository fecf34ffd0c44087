"""One process at a time on a file or folder; a lock ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from molmeta.errors import OutputError


@contextmanager
def locked(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A descriptor of `path`, opened with `flags`, that no other process holds meanwhile.

    Raises:
        OutputError: it cannot be opened, or another process holds it.
    """
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and locking, its last holder may have renamed or removed it.
            is_there = os.path.samestat(os.fstat(descriptor), os.stat(path))
        except (BlockingIOError, FileNotFoundError):
            is_there = False
        if not is_there:
            raise OutputError(f"Another process is writing {path}; wait until it has ended.")
        yield descriptor
    finally:
        os.close(descriptor)
