"""A lock on an open file that ends with its process, however that ends."""

from typing import BinaryIO


def take_lock(file: BinaryIO) -> bool:
    """Hold `file` until it is closed; False where another process holds it."""
    try:
        import fcntl
    except ImportError:  # Windows, which by itself keeps an open file from being removed
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network folders know no locks
        return True
    return True
