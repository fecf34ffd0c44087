"""Processes that work on chunks in order; one that dies or hangs costs the row that made it.

Each process computes with one thread and answers over a pipe of its own. When one dies or gives no
answer in time, another takes its place and the chunk is cut in ever smaller parts, until the row is
found that does it alone.
"""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import torch

from molmeta.chem.status import Status
from molmeta.errors import ConfigError
from molmeta.screening.worker import Failure, WorkerProcess, by_value

Row = TypeVar("Row")
Answer = TypeVar("Answer")

TIMEOUT: Final = 10.0
"""Seconds that a row alone may take; some thousand times what the slowest molecules took."""

_ROWS_A_TIMEOUT: Final = 500
"""Rows in a part that add another such time to what the part may take."""

_PARTS: Final = 16
"""Into which a chunk is cut that no process survived: of 2,000 rows one is found in four deaths."""

_AHEAD: Final = 2
"""Chunks for each process that are read and not yet given on."""

_START: Final = 300.0
"""Seconds within which a process must have been given its work."""

_FAILED_STARTS: Final = 3
"""In a row, after which there is no hope."""


@dataclass(slots=True)
class _Chunk(Generic[Row, Answer]):
    rows: Sequence[Row]
    n_missing: int
    answers: dict[int, list[Answer]] = field(default_factory=dict)
    """By the first of their rows."""


@dataclass(frozen=True, slots=True)
class _Part(Generic[Row, Answer]):
    """Rows `start` to `stop` of a chunk, worked on by one process in one go."""

    chunk: _Chunk[Row, Answer]
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> Sequence[Row]:
        return self.chunk.rows[self.start : self.stop]

    def answer(self, answers: list[Answer]) -> None:
        """Put the answers for all its rows in their place."""
        self.chunk.answers[self.start] = answers
        self.chunk.n_missing -= self.size

    def cut(self) -> list["_Part[Row, Answer]"]:
        """Smaller parts, in order."""
        step = -(-self.size // _PARTS)
        return [
            _Part(self.chunk, start, min(start + step, self.stop))
            for start in range(self.start, self.stop, step)
        ]


class _Worker(WorkerProcess, Generic[Row, Answer]):
    """One process, and the part it is at."""

    def __init__(self) -> None:
        super().__init__()
        self.is_ready = False
        self.part: _Part[Row, Answer] | None = None
        self.deadline = time.monotonic() + _START


class WorkerPool(ABC, Generic[Row, Answer]):
    """Processes that do the same work; a context manager that ends them.

    Args:
        work: what each makes of rows, an answer for each or for some together, in order; it is
            sent to every process once, by value.
        device: where that computes.
        n: how many.
        timeout: seconds that a row alone may take.

    Raises:
        ConfigError: it computes on a GPU.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Row]], list[Answer]],
        device: torch.device,
        n: int,
        *,
        timeout: float,
    ) -> None:
        if device.type != "cpu":
            raise ConfigError("Worker processes compute on the CPU: leave --workers out on a GPU.")
        self._work = by_value(work)
        self._n = n
        self._timeout = timeout
        self._workers: list[_Worker[Row, Answer]] = []
        self._waiting: deque[_Part[Row, Answer]] = deque()
        self._failed_starts = 0

    @abstractmethod
    def lost(self, status: Status, reason: str) -> Answer:
        """The answer for one row that no process survives."""

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

    def answers(self, chunks: Iterable[Sequence[Row]]) -> Iterator[list[Answer]]:
        """What the work made of each chunk, in order; reads some chunks ahead.

        Raises:
            ConfigError: the processes cannot be started.
        """
        chunks = iter(chunks)
        unfinished: deque[_Chunk[Row, Answer]] = deque()
        while True:
            while len(unfinished) < _AHEAD * self._n and (rows := next(chunks, None)) is not None:
                chunk: _Chunk[Row, Answer] = _Chunk(rows, len(rows))
                unfinished.append(chunk)
                if rows:
                    self._waiting.append(_Part(chunk, 0, len(rows)))
            self._hand_out()
            if not unfinished:
                return
            if unfinished[0].n_missing:
                self._listen()
            else:
                parts = sorted(unfinished.popleft().answers.items())
                yield [answer for _, answers in parts for answer in answers]

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if worker.part is None and worker.is_ready:
                part = self._waiting.popleft()
                try:
                    worker.connection.send(part.rows)
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

    def _hear(self, worker: _Worker[Row, Answer]) -> None:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            self._lose(worker, Status.WORKER_CRASH)
            return
        part, worker.part = worker.part, None
        if not worker.has_work:
            worker.give(self._work)
        elif part is None:
            worker.is_ready = True
            self._failed_starts = 0
        elif isinstance(answer, Failure):
            self._fail(part, Status.WORKER_CRASH, f"failed: {answer.reason}")
        else:
            part.answer(answer)

    def _lose(self, worker: _Worker[Row, Answer], status: Status) -> None:
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

    def _replace(self, worker: _Worker[Row, Answer]) -> str:
        how = worker.end()
        self._workers[self._workers.index(worker)] = _Worker()
        return how

    def _fail(self, part: _Part[Row, Answer], status: Status, how: str) -> None:
        if part.size > 1:
            self._waiting.extendleft(reversed(part.cut()))
        else:
            part.answer([self.lost(status, f"worker: the process that read this row {how}")])
