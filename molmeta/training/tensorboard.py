"""A run's log as TensorBoard event files too, where `molmeta[tensorboard]` is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Events:
    """Event files in `folder`, which TensorBoard draws as curves; none without the extra."""

    def __init__(self, folder: Path, step: int) -> None:
        """Drop what was written after `step`: it will be written again."""
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curve of each name."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
