"""Rows of a library -> molecules and their embeddings, in this process or in several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from molmeta.assays.tables import Row
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, Rejection, read_smiles
from molmeta.chem.status import Status
from molmeta.learners.base import HeadLearner
from molmeta.screening.pool import WorkerPool

_BATCH: Final = 256
"""Rows read at a time, which bounds the memory."""


class EncodedRows(NamedTuple):
    """What the intake and the encoder make of some rows."""

    verdicts: list[tuple[Status, str]]
    """[n_rows]: status and reason."""
    is_molecule: list[bool]
    """[n_rows]"""
    molecules: MoleculeBatch
    """The n molecules among the rows."""
    vectors: Tensor
    """[n, dim], float16: embeddings at unit length, on the CPU."""


def encode(rows: Sequence[Row], learner: HeadLearner) -> list[EncodedRows]:
    """All of `rows`, in order; `learner` in evaluation mode."""
    starts = range(0, len(rows), _BATCH)
    return [_encode(rows[start : start + _BATCH], learner) for start in starts]


class EncoderPool(WorkerPool[Row, EncodedRows]):
    """Processes that encode rows with one learner; a context manager that ends them.

    Args:
        learner: on the CPU, in evaluation mode.
        n: how many.
        timeout: seconds that a row alone may take.

    Raises:
        ConfigError: the learner is on a GPU.
    """

    def __init__(self, learner: HeadLearner, n: int, *, timeout: float) -> None:
        device = next(learner.parameters()).device
        super().__init__(partial(encode, learner=learner), device, n, timeout=timeout)
        self._learner = learner

    def lost(self, status: Status, reason: str) -> EncodedRows:
        """The row, without a molecule."""
        return _encode([Row(0, "", (), Rejection(status, reason), 0)], self._learner)


@torch.inference_mode()
def _encode(rows: Sequence[Row], learner: HeadLearner) -> EncodedRows:
    verdicts = [row.problem or read_smiles(row.smiles) for row in rows]
    molecules = featurize([verdict for verdict in verdicts if isinstance(verdict, Molecule)])
    vectors = learner.encoder(molecules.to(next(learner.parameters()).device))
    return EncodedRows(
        [(verdict.status, verdict.reason) for verdict in verdicts],
        [isinstance(verdict, Molecule) for verdict in verdicts],
        molecules,
        nn.functional.normalize(vectors, dim=1).half().cpu(),
    )
