"""One process that does some work on rows again and again, and the pipe to it.

It ends with the process that started it, however that ends, and a Ctrl-C is not for it.
"""

import copyreg
import io
import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import torch

from molmeta.forkserver import CONTEXT, interrupts_ignored


class Failure(NamedTuple):
    """The answer of a process whose work raised an exception."""

    reason: str


class WorkerProcess:
    """One process, from this side."""

    def __init__(self) -> None:
        self.connection, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs,), daemon=True)
        with interrupts_ignored():
            self.process.start()
        theirs.close()
        self.has_work = False

    def give(self, work: bytes) -> None:
        """Send the work, for which it waits."""
        self.has_work = True
        with suppress(OSError):  # it died, which is noticed when it should answer
            self.connection.send_bytes(work)

    def end(self) -> str:
        """Kill the process; how it had ended before, in words."""
        self.process.join(0.1)  # a pipe closes a moment before its process has ended
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        self.connection.close()
        if code is None:
            return "was stopped"
        with suppress(ValueError):
            return f"died of {signal.Signals(-code).name}"
        return f"ended with code {code}"


def _serve(connection: Connection) -> None:
    """Answer each list of rows with what the work makes of them, until the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that started this
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    with suppress(EOFError, OSError):  # nobody is there any more
        connection.send("ready for the work")
        work = connection.recv()
        connection.send("ready for rows")
        while True:
            rows = connection.recv()
            try:
                answer = work(rows)
            except Exception as error:
                answer = Failure(ascii(error))
            connection.send_bytes(by_value(answer))


def by_value(what: Any) -> bytes:
    """`what` as a connection sends it, but with the contents of its tensors.

    Torch would send file descriptors, which a process that is killed meanwhile leaves hanging.
    """
    buffer = io.BytesIO()
    pickler = ForkingPickler(buffer)
    pickler.dispatch_table = copyreg.dispatch_table
    pickler.dump(what)
    return buffer.getvalue()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
