"""One process that scores with a target's model, and the pipe to it.

It ends with the process that started it, however that ends, and a Ctrl-C is not for it.
"""

import copyreg
import io
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler

import torch

from molmeta.scores import ScoredRow
from molmeta.target import TargetModel

if sys.platform == "linux":
    # Copied from a process that has torch loaded, one that takes another's place starts in tenths
    # of a second. Elsewhere such a copy is not safe, or not known.
    _CONTEXT = multiprocessing.get_context("forkserver")
    _CONTEXT.set_forkserver_preload(["molmeta.target"])
else:
    _CONTEXT = multiprocessing.get_context("spawn")


class WorkerProcess:
    """One process, from this side."""

    def __init__(self) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(theirs,), daemon=True)
        with _interrupts_ignored():
            self.process.start()
        theirs.close()
        self.has_model = False

    def give(self, model: bytes) -> None:
        """Send the model, for which it waits."""
        self.has_model = True
        with suppress(OSError):  # it died, which is noticed when it should answer
            self.connection.send_bytes(model)

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
    """Answer each list of texts with their rows, or with why there are none, until the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that started this
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    with suppress(EOFError, OSError):  # nobody is there any more
        connection.send("ready for the model")
        target: TargetModel = connection.recv()
        connection.send("ready for texts")
        while True:
            texts = connection.recv()
            answer: list[ScoredRow] | str
            try:
                answer = target.score(texts)
            except Exception as error:
                answer = ascii(error)
            connection.send(answer)


def by_value(target: TargetModel) -> bytes:
    """`target` as a connection sends it, but with the contents of its tensors.

    Torch would send file descriptors, which a process that is killed meanwhile leaves hanging.
    """
    buffer = io.BytesIO()
    pickler = ForkingPickler(buffer)
    pickler.dispatch_table = copyreg.dispatch_table
    pickler.dump(target)
    return buffer.getvalue()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What is started meanwhile ignores Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
