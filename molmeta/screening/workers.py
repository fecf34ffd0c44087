"""A target's model in several processes; a row that ends one or hangs costs itself alone."""

from collections.abc import Iterable, Iterator, Sequence

from molmeta.chem.status import Status
from molmeta.scores import ScoredRow
from molmeta.screening.pool import TIMEOUT, WorkerPool
from molmeta.target import TargetModel


class Workers(WorkerPool[str, ScoredRow]):
    """Processes that score with one target's model; a context manager that ends them.

    Args:
        target: on the CPU.
        n: how many.
        timeout: seconds that a row alone may take.

    Raises:
        ConfigError: the target is on a GPU.
    """

    def __init__(self, target: TargetModel, n: int, *, timeout: float = TIMEOUT) -> None:
        super().__init__(target.score, target.support.molecules.device, n, timeout=timeout)

    def lost(self, status: Status, reason: str) -> ScoredRow:
        """The row, without a score."""
        return ScoredRow(status, reason)

    def score_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[ScoredRow]]:
        """The rows of each chunk, in order; reads some chunks ahead.

        Raises:
            ConfigError: the processes cannot be started.
        """
        return self.answers(chunks)
