"""Rows encoded in this process and in several: the same molecules and vectors."""

import pytest
import torch

from molmeta.errors import ConfigError
from molmeta.index.encoding import EncodedRows, EncoderPool, encode
from tests.index.library import TEXTS, Library, learner_of


def test_several_processes_give_the_bits_of_one_in_the_same_order() -> None:
    rows, learner = Library().rows, learner_of()
    with EncoderPool(learner, 2, timeout=60) as pool:
        answers = list(pool.answers([rows[:50], [], rows[50:]]))
    expected = [encode(rows[:50], learner), [], encode(rows[50:], learner)]
    assert [len(some) for some in answers] == [1, 0, 1]
    for (got,), (wanted,) in zip(answers[::2], expected[::2], strict=True):
        assert got.verdicts == wanted.verdicts
        assert got.is_molecule == wanted.is_molecule
        assert torch.equal(got.vectors, wanted.vectors)
        assert torch.equal(got.molecules.keys, wanted.molecules.keys)


def test_rows_without_a_molecule_have_a_verdict_and_no_vector() -> None:
    rows = Library(("nonsense", "", "[Fe]")).rows
    (encoded,) = encode(rows, learner_of())
    assert isinstance(encoded, EncodedRows)
    assert [status for status, _ in encoded.verdicts] == ["not_smiles", "empty", "unsupported_atom"]
    assert encoded.is_molecule == [False] * 3
    assert (len(encoded.molecules), len(encoded.vectors)) == (0, 0)
    assert len(encode(Library(TEXTS * 6).rows, learner_of())) == 3


def test_a_gpu_is_not_shared() -> None:
    with pytest.raises(ConfigError, match="compute on the CPU"):
        EncoderPool(learner_of().to("meta"), 2, timeout=60)
