"""Where worker processes come from: copies of one that has torch and molmeta loaded."""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "linux":
    # Copied from a process that has torch loaded, one that takes another's place starts in tenths
    # of a second. Elsewhere such a copy is not safe, or not known.
    CONTEXT = multiprocessing.get_context("forkserver")
    CONTEXT.set_forkserver_preload(["molmeta.target"])
else:
    CONTEXT = multiprocessing.get_context("spawn")


def start_loading() -> None:
    """Begin to load what workers need, beside what this process is about to load for itself.

    Loading takes a second, which nobody waits for who calls this before importing torch.
    """
    if sys.platform == "linux":
        from multiprocessing.forkserver import ensure_running

        with interrupts_ignored():
            ensure_running()


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """What is started meanwhile ignores Ctrl-C, and so do its copies."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
