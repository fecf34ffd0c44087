"""Records: the rows of a part as they were read, to be printed when they are among the best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from molmeta.chem.status import Status
from molmeta.errors import InputError


class Record(NamedTuple):
    """A row of the library."""

    status: Status
    """By the intake."""
    reason: str
    cells: tuple[str, ...]
    """Unchanged."""


@dataclass(frozen=True, slots=True)
class Records:
    """Rows packed into one text."""

    text: Tensor
    """[n_bytes], uint8: each row a list in JSON, in ASCII: status, reason, cells."""
    offsets: Tensor
    """[n_rows + 1], int64: bytes offsets[i] to offsets[i + 1] are row i."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> Records:
        """The rows `records`, at least one, packed."""
        lines = [json.dumps([r.status, r.reason, *r.cells]).encode() for r in records]
        text = torch.frombuffer(bytearray(b"".join(lines)), dtype=torch.uint8)
        return cls(text, torch.tensor([0, *map(len, lines)]).cumsum(0))

    def at(self, place: int, n_cells: int) -> Record:
        """The row at `place`, from 0, of so many cells.

        Raises:
            InputError: it is damaged.
        """
        start, end = self.offsets[place : place + 2].tolist()
        try:
            status, reason, *cells = json.loads(self.text[start:end].numpy().tobytes())
            if len(cells) == n_cells:
                return Record(Status(status), str(reason), tuple(map(str, cells)))
        except (TypeError, ValueError, RecursionError):
            pass
        raise InputError(f"The index is damaged (row {place + 1} of a part); build it again.")
