"""TextScorer: texts in, a scored row each out, however large the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch

from molmeta.chem.intake import Molecule, Rejection, Status, read_smiles
from molmeta.errors import ConfigError
from molmeta.scores import ScoredRow, after_intake

BATCH: Final = 256
"""Molecules a pass through the model; bounds the memory, and changes no score beyond 1e-5."""

_NO_MEMORY: Final = "model: the GPU has no memory for this molecule, even alone"

ScoreBatch = Callable[[Sequence[tuple[str, Molecule]]], list[ScoredRow]]
"""Texts and their molecules to a row each, in one pass; its status tells of the score alone."""


class TextScorer:
    """Reads texts, scores each molecule once, and puts the rows where their texts were."""

    def __init__(self) -> None:
        self._most = BATCH
        """Molecules at a time; halved when the memory of a GPU is exhausted."""

    def score(self, texts: Sequence[object], score_batch: ScoreBatch) -> list[ScoredRow]:
        """One row for each text, in order.

        Args:
            texts: anything that `read_smiles` takes.
            score_batch: may exhaust the memory of a GPU.

        Raises:
            ConfigError: the GPU has failed.
        """
        rows = []
        # Read as many as are scored together: thousands of molecules do not fit the cache.
        for start in range(0, len(texts), BATCH):
            rows += self._score_few(texts[start : start + BATCH], score_batch)
        return rows

    def _score_few(self, texts: Sequence[object], score_batch: ScoreBatch) -> list[ScoredRow]:
        """A row a text; equal molecules are computed once."""
        verdicts = _read_each_once(texts)
        read = {
            id(verdict): (text if isinstance(text, str) else verdict.smiles, verdict)
            for text, verdict in zip(texts, verdicts, strict=True)
            if isinstance(verdict, Molecule)
        }
        rows = self._score_molecules(list(read.values()), score_batch)
        answers = dict(zip(read, rows, strict=True))
        return [
            after_intake(answers[id(verdict)], verdict.status, verdict.reason)
            if isinstance(verdict, Molecule)
            else ScoredRow(verdict.status, verdict.reason)
            for verdict in verdicts
        ]

    def _score_molecules(
        self, molecules: Sequence[tuple[str, Molecule]], score_batch: ScoreBatch
    ) -> Iterator[ScoredRow]:
        """A row a text and its molecule, by as many at a time as the memory of the GPU holds."""
        start = 0
        while start < len(molecules):
            batch = molecules[start : start + self._most]
            rows: list[ScoredRow] | None = None
            try:
                rows = score_batch(batch)
            except torch.OutOfMemoryError:
                pass  # what it holds on to is free after this line only
            except torch.AcceleratorError as error:
                raise ConfigError(
                    f"The GPU has failed ({str(error).partition(chr(10))[0]}): give the same "
                    "command again, or compute with --device cpu."
                ) from error
            if rows is None and len(batch) > 1:
                torch.cuda.empty_cache()
                self._most = len(batch) // 2
                continue
            yield from rows or [ScoredRow(Status.MODEL_ERROR, _NO_MEMORY, text=batch[0][0])]
            start += len(batch)


def _read_each_once(texts: Sequence[object]) -> list[Molecule | Rejection]:
    """The verdict on each text; a text that occurs again is not parsed again."""
    known: dict[str, Molecule | Rejection] = {}
    verdicts = []
    for text in texts:
        if not isinstance(text, str):
            verdicts.append(read_smiles(text))
            continue
        if text not in known:
            known[text] = read_smiles(text)
        verdicts.append(known[text])
    return verdicts
