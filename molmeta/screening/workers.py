"""Processes that score chunks in order; one that dies or hangs costs the row that made it.

Each process computes with one thread and answers over a pipe of its own. When one dies or gives no
answer in time, another takes its place and the chunk is cut in ever smaller parts, until the row is
found that does it alone.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import TracebackType
from typing import Final, Self

from molmeta.chem.status import Status
from molmeta.errors import ConfigError
from molmeta.scores import ScoredRow
from molmeta.screening.worker import WorkerProcess, by_value
from molmeta.target import TargetModel

TIMEOUT: Final = 10.0
"""Seconds that a row alone may take; some thousand times what the slowest molecules took."""

_ROWS_A_TIMEOUT: Final = 500
"""Rows in a part that add another such time to what the part may take."""

_PARTS: Final = 16
"""Into which a chunk is cut that no process survived: of 2,000 rows one is found in four deaths."""

_AHEAD: Final = 2
"""Chunks for each process that are read and not yet given on."""

_START: Final = 300.0
"""Seconds within which a process must have loaded the model."""

_FAILED_STARTS: Final = 3
"""In a row, after which there is no hope."""


@dataclass(slots=True)
class _Chunk:
    texts: Sequence[str]
    rows: list[ScoredRow | None]
    n_missing: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows `start` to `stop` of a chunk, scored by one process in one go."""

    chunk: _Chunk
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def texts(self) -> Sequence[str]:
        return self.chunk.texts[self.start : self.stop]

    def answer(self, rows: Sequence[ScoredRow]) -> None:
        """Put the rows [size] in their places."""
        self.chunk.rows[self.start : self.stop] = rows
        self.chunk.n_missing -= self.size

    def cut(self) -> list["_Part"]:
        """Smaller parts, in order."""
        step = -(-self.size // _PARTS)
        return [
            _Part(self.chunk, start, min(start + step, self.stop))
            for start in range(self.start, self.stop, step)
        ]


class _Worker(WorkerProcess):
    """One process, and the part it is at."""

    def __init__(self) -> None:
        super().__init__()
        self.is_ready = False
        self.part: _Part | None = None
        self.deadline = time.monotonic() + _START


class Workers:
    """Processes that score with one target's model; a context manager that ends them.

    Args:
        target: on the CPU.
        n: how many.
        timeout: seconds that a row alone may take.

    Raises:
        ConfigError: the target is on a GPU.
    """

    def __init__(self, target: TargetModel, n: int, *, timeout: float = TIMEOUT) -> None:
        if target.support.molecules.device.type != "cpu":
            raise ConfigError("Worker processes compute on the CPU: leave --workers out on a GPU.")
        self._model = by_value(target)
        self._n = n
        self._timeout = timeout
        self._workers: list[_Worker] = []
        self._waiting: deque[_Part] = deque()
        self._failed_starts = 0

    def __enter__(self) -> Self:
        self._workers.extend(_Worker() for _ in range(self._n))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.end()

    def score_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[ScoredRow]]:
        """The rows of each chunk, in order; reads some chunks ahead.

        Raises:
            ConfigError: the processes cannot be started.
        """
        chunks = iter(chunks)
        unfinished: deque[_Chunk] = deque()
        while True:
            while len(unfinished) < _AHEAD * self._n and (texts := next(chunks, None)) is not None:
                chunk = _Chunk(texts, [None] * len(texts), len(texts))
                unfinished.append(chunk)
                if texts:
                    self._waiting.append(_Part(chunk, 0, len(texts)))
            self._hand_out()
            if not unfinished:
                return
            if unfinished[0].n_missing:
                self._listen()
            else:
                yield [row for row in unfinished.popleft().rows if row is not None]

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if worker.part is None and worker.is_ready:
                part = self._waiting.popleft()
                try:
                    worker.connection.send(part.texts)
                except OSError:  # it died meanwhile, and not of this part
                    self._waiting.appendleft(part)
                    self._replace(worker)
                    continue
                worker.part = part
                worker.deadline = time.monotonic() + self._patience(part.size)

    def _patience(self, n_rows: int) -> float:
        return self._timeout * (1 + (n_rows - 1) / _ROWS_A_TIMEOUT)

    def _listen(self) -> None:
        """Wait for an answer, a death or a deadline, and do what it asks for."""
        awaited = [w for w in self._workers if w.part is not None or not w.is_ready]
        left = min(worker.deadline for worker in awaited) - time.monotonic()
        heard = wait([worker.connection for worker in self._workers], max(0.0, left))
        for worker in list(self._workers):
            if worker.connection in heard:
                self._hear(worker)
            elif worker in awaited and time.monotonic() > worker.deadline:
                self._lose(worker, Status.TIMEOUT)

    def _hear(self, worker: _Worker) -> None:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            self._lose(worker, Status.WORKER_CRASH)
            return
        part, worker.part = worker.part, None
        if not worker.has_model:
            worker.give(self._model)
        elif part is None:
            worker.is_ready = True
            self._failed_starts = 0
        elif isinstance(answer, str):
            self._fail(part, Status.WORKER_CRASH, f"failed: {answer}")
        else:
            part.answer(answer)

    def _lose(self, worker: _Worker, status: Status) -> None:
        """Put another process in the place of one that died or hangs."""
        how = self._replace(worker)
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts == _FAILED_STARTS:
                raise ConfigError(
                    f"Worker processes cannot be started here (the last one {how}): use fewer, or "
                    "leave --workers out."
                )
        if worker.part is not None:
            if status is Status.TIMEOUT:
                how = f"gave no answer within {self._patience(worker.part.size):g} s (--timeout)"
            self._fail(worker.part, status, how)

    def _replace(self, worker: _Worker) -> str:
        how = worker.end()
        self._workers[self._workers.index(worker)] = _Worker()
        return how

    def _fail(self, part: _Part, status: Status, how: str) -> None:
        if part.size > 1:
            self._waiting.extendleft(reversed(part.cut()))
        else:
            part.answer([ScoredRow(status, f"worker: the process that scored this row {how}")])
