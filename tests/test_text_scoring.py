"""Texts to rows: each in its place, each molecule once, within the memory of a GPU."""

from collections.abc import Sequence

import pytest
import torch
from rdkit import Chem

from molmeta.chem.intake import Molecule, Status
from molmeta.errors import ConfigError
from molmeta.scores import ScoredRow
from molmeta.text_scoring import BATCH, TextScorer
from tests.molecules import MOLECULES

Passes = Sequence[tuple[str, Molecule]]


class _Model:
    """Gives each molecule the number of its atoms, on a GPU that holds so many molecules."""

    def __init__(self, room: int = BATCH) -> None:
        self.room = room
        self.sizes: list[int] = []

    def __call__(self, molecules: Passes) -> list[ScoredRow]:
        self.sizes.append(len(molecules))
        if len(molecules) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return [
            ScoredRow(Status.OK, "", text=text, logit=float(molecule.mol.GetNumAtoms()))
            for text, molecule in molecules
        ]


def _n_atoms(texts: Sequence[str]) -> list[float]:
    return [float(Chem.MolFromSmiles(text).GetNumAtoms()) for text in texts]


def test_every_text_has_its_row_and_a_repeated_one_is_scored_once() -> None:
    model, texts = _Model(), ["CCO", "", "CCCC", "CCO", "C1CC", Chem.MolFromSmiles("CN")]
    rows = TextScorer().score(texts, model)
    assert [row.logit for row in rows] == [3.0, None, 4.0, 3.0, None, 2.0]
    assert [row.text for row in rows] == ["CCO", None, "CCCC", "CCO", None, "CN"]
    assert rows[1].status == Status.EMPTY
    assert rows[4].reason
    assert model.sizes == [3]


def test_what_the_intake_changed_is_told_beside_the_score() -> None:
    (row,) = TextScorer().score(["CCN.Cl"], _Model())
    assert (row.status, row.logit) == (Status.OK_CHANGED, 3.0)
    assert row.reason.startswith("salt")


def test_a_library_is_read_in_batches() -> None:
    texts = [f"{'C' * (1 + i % 40)}{'N' * (1 + i // 40)}" for i in range(BATCH + 20)]
    model = _Model()
    assert [row.logit for row in TextScorer().score(texts, model)] == _n_atoms(texts)
    assert model.sizes == [BATCH, 20]


def test_nothing_to_read_or_to_score_is_answered() -> None:
    model = _Model()
    assert TextScorer().score([], model) == []
    assert [row.status for row in TextScorer().score(["", ""], model)] == [Status.EMPTY] * 2
    assert not model.sizes


def test_a_full_gpu_halves_the_batch_and_loses_no_row() -> None:
    texts, model, scorer = list(dict.fromkeys(MOLECULES))[:100], _Model(room=30), TextScorer()
    expected = [row.logit for row in TextScorer().score(texts, _Model())]
    assert [row.logit for row in scorer.score(texts, model)] == expected
    n = len({text for text, logit in zip(texts, expected, strict=True) if logit is not None})
    assert model.sizes[:4] == [n, n // 2, n // 4, n // 4]
    scorer.score(texts, model)
    # It is not tried again and again: what was once too much stays so.
    assert max(model.sizes[3:]) <= 30


def test_a_molecule_too_large_for_the_gpu_fails_alone() -> None:
    rows = TextScorer().score(["CCO", "", "CCCC"], _Model(room=0))
    assert [row.status for row in rows] == [Status.MODEL_ERROR, Status.EMPTY, Status.MODEL_ERROR]
    assert "no memory for this molecule" in rows[0].reason


def test_a_gpu_that_fails_ends_in_a_sentence() -> None:
    def lost(molecules: Passes) -> list[ScoredRow]:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with ...")

    with pytest.raises(ConfigError, match=r"GPU has failed \(CUDA error: unspecified .*failure\)"):
        TextScorer().score(["CCO"], lost)
